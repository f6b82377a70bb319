//! Backups of a database.

use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::health::Health;
use super::list::{BEGIN, DOCUMENTS, Transaction};
use super::open::wait_for;
use super::pool::{Manager, Pool};
use super::rows::{delivery, delivery_columns, document};
use super::schema::{self, name};
use super::status::{self, Status};
use super::{suppressions, url};
use crate::backup::{Source, copy};
use crate::columns::{after_bytes, rows};
use crate::{
    AddressDigest, BackupError, BackupSummary, DatabaseUrl, Delivery, Document, ObjectId,
    StoreError, Suppression,
};

/// Documents or deliveries that are read at once.
const PART_ROWS: usize = 500;

const DELIVERIES: &str = concat!(
    "SELECT v.id, ",
    delivery_columns!(),
    " FROM deliveries v WHERE v.id > $1 ORDER BY v.id LIMIT $2"
);

/// One state of a database, read from a thread that may wait.
struct State<'a> {
    transaction: Transaction,
    status: Status,
    health: &'a Health,
    runtime: &'a Handle,
    /// Whether the database has the tables of suppressions: one of the last release has not.
    has_suppressions: bool,
}

impl<'a> State<'a> {
    async fn begin(
        pool: &Pool,
        health: &'a Health,
        runtime: &'a Handle,
        level: i32,
    ) -> Result<Self, StoreError> {
        let mut transaction = Transaction::begin(pool, BEGIN).await?;
        let connection = transaction.connection()?;
        // Whoever reads the backup may be slow.
        connection.run("SET LOCAL idle_in_transaction_session_timeout = '600s'").await?;
        let status = Status::of(connection, status::SELECT).await?;
        let has_suppressions = level >= schema::SUPPRESSIONS;
        Ok(Self { transaction, status, health, runtime, has_suppressions })
    }
}

impl Source for State<'_> {
    fn count(&mut self) -> Result<u64, StoreError> {
        Ok(self.status.documents)
    }

    fn documents(
        &mut self,
        after: Option<ObjectId>,
    ) -> Result<Vec<Result<Document, ObjectId>>, StoreError> {
        let connection = self.transaction.connection()?;
        let (after, limit) = (after_bytes(after.as_ref()), rows(PART_ROWS));
        let read = async { connection.query(DOCUMENTS, &[&after, &limit]).await };
        let found = self.runtime.block_on(read)?;
        let read = found.iter().map(|row| document(row, 0)).collect::<Result<Vec<_>, _>>();
        connection.judge(read)
    }

    fn deliveries(
        &mut self,
        after: Option<ObjectId>,
    ) -> Result<Vec<(ObjectId, Option<Delivery>)>, StoreError> {
        let connection = self.transaction.connection()?;
        let (after, limit) = (after_bytes(after.as_ref()), rows(PART_ROWS));
        let read = async { connection.query(DELIVERIES, &[&after, &limit]).await };
        let found = self.runtime.block_on(read)?;
        let read = found.iter().map(|row| Ok((row.try_get(0)?, delivery(row, 1)?)));
        let read = read.collect::<Result<Vec<_>, tokio_postgres::Error>>();
        connection.judge(read)
    }

    fn suppressions(
        &mut self,
        after: Option<AddressDigest>,
    ) -> Result<Vec<Suppression>, StoreError> {
        if !self.has_suppressions {
            return Ok(Vec::new());
        }
        let connection = self.transaction.connection()?;
        self.runtime.block_on(suppressions::select(connection, after, PART_ROWS))
    }

    fn mail_since(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(self.status.mail_since)
    }

    fn incomplete(&self) -> StoreError {
        let what = "it has other documents than it has counted".into();
        StoreError::Damaged { path: self.health.database().into(), what }
    }
}

/// Writes a backup of an open store. It blocks.
pub(super) fn back_up(
    pool: &Pool,
    health: &Health,
    collection: &str,
    runtime: &Handle,
    level: i32,
    out: &mut dyn io::Write,
) -> Result<BackupSummary, BackupError> {
    let mut state = runtime.block_on(State::begin(pool, health, runtime, level))?;
    let summary = copy(&mut state, collection, out)?;
    // All of it was read: how the transaction ends does not matter.
    let _ = runtime.block_on(state.transaction.end());
    Ok(summary)
}

/// Writes a backup of a collection in a database, which may be in use. It blocks: `runtime` runs
/// the connection.
pub fn back_up_database(
    url: DatabaseUrl,
    collection: &str,
    runtime: &Handle,
    out: &mut dyn io::Write,
) -> Result<BackupSummary, BackupError> {
    let health = Arc::new(Health::new(url::name(&url).map_err(StoreError::from)?));
    let level = runtime.block_on(async {
        let mut connection = wait_for(&url, collection, &health).await?;
        schema::level(&mut connection, &health, collection, schema::known()).await
    })?;
    if level == 0 {
        let found = "it has none of its tables".into();
        let (path, collection) = (health.database().into(), collection.to_owned());
        return Err(StoreError::Foreign { path, collection, found }.into());
    }
    let manager = Manager { url, schema: name(collection), health: Arc::clone(&health) };
    back_up(&Pool::new(manager, 1), &health, collection, runtime, level, out)
}
