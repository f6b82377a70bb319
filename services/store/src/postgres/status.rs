//! What the store is about as a whole: one row, which is locked by whoever changes documents.

use tokio_postgres::Row;

use super::connection::Connection;
use crate::columns::after_bytes;
use crate::{ObjectId, Revision, StoreError};

/// The columns, in the order in which [`Status::read`] reads them.
macro_rules! status_columns {
    () => {
        "epoch, commits, documents, bytes, last_id, mail_since, mail_expiry"
    };
}

pub(super) const SELECT: &str = concat!("SELECT ", status_columns!(), " FROM status");
pub(super) const LOCK: &str = concat!("SELECT ", status_columns!(), " FROM status FOR UPDATE");
pub(super) const SAVE: &str =
    "UPDATE status SET commits = $1, documents = $2, bytes = $3, last_id = $4";

/// The row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    epoch: u64,
    pub(super) commits: u64,
    pub(super) documents: u64,
    pub(super) bytes: u64,
    /// The greatest id that was ever stored.
    pub(super) last_id: Option<ObjectId>,
    pub(super) mail_since: Option<u64>,
    /// How late a notification may be when it is first seen, once mails are sent.
    pub(super) mail_expiry: Option<u64>,
}

impl Status {
    /// Reads a row of [`SELECT`] or [`LOCK`].
    pub(super) fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let number = |column| row.try_get::<_, i64>(column).map(i64::cast_unsigned);
        let optional = |column| Ok(row.try_get::<_, Option<i64>>(column)?.map(i64::cast_unsigned));
        let last_id: &[u8] = row.try_get(4)?;
        let since = optional(5)?;
        Ok(Self {
            epoch: number(0)?,
            commits: number(1)?,
            documents: number(2)?,
            bytes: number(3)?,
            last_id: last_id.try_into().ok().map(ObjectId::from_bytes),
            mail_since: since,
            mail_expiry: since.and(optional(6)?),
        })
    }

    /// Reads the row by [`SELECT`] or [`LOCK`].
    pub(super) async fn of(
        connection: &mut Connection,
        sql: &'static str,
    ) -> Result<Self, StoreError> {
        let rows = connection.query(sql, &[]).await?;
        match rows.first() {
            Some(row) => connection.judge(Self::read(row)),
            None => Err(connection.damaged("its table `status` has no row")),
        }
    }

    /// The state that the row is of.
    pub(super) fn revision(&self) -> Revision {
        Revision::new(self.epoch, self.commits)
    }

    /// The values of [`SAVE`].
    pub(super) fn values(&self) -> (i64, i64, i64, &[u8]) {
        (
            self.commits.cast_signed(),
            self.documents.cast_signed(),
            self.bytes.cast_signed(),
            after_bytes(self.last_id.as_ref()),
        )
    }
}
