//! The numbers of documents, bytes and deliveries, kept by the writer.

use rusqlite::{Connection, params};

use crate::StateName;

/// What is stored, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) commits: u64,
    pub(super) documents: u64,
    pub(super) bytes: u64,
    /// Deliveries by state, in the order of [`StateName::ALL`].
    pub(super) deliveries: [u64; 5],
}

impl Totals {
    /// The numbers in the state that a connection reads.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut select = connection.prepare_cached(
            "SELECT commits, documents, bytes, scheduled, sending, sent, failed, expired
             FROM totals",
        )?;
        select.query_row([], |row| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            Ok(Self {
                commits: number(0)?,
                documents: number(1)?,
                bytes: number(2)?,
                deliveries: [number(3)?, number(4)?, number(5)?, number(6)?, number(7)?],
            })
        })
    }

    /// Writes them in the transaction that they are the result of.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut update = connection.prepare_cached(
            "UPDATE totals SET commits = ?1, documents = ?2, bytes = ?3, scheduled = ?4,
             sending = ?5, sent = ?6, failed = ?7, expired = ?8",
        )?;
        let [scheduled, sending, sent, failed, expired] = self.deliveries.map(u64::cast_signed);
        let (commits, documents) = (self.commits.cast_signed(), self.documents.cast_signed());
        let bytes = self.bytes.cast_signed();
        update.execute(params![
            commits, documents, bytes, scheduled, sending, sent, failed, expired
        ])?;
        Ok(())
    }

    /// Counts a delivery whose state has changed from one to another; none is no delivery.
    pub(super) fn count(&mut self, from: Option<StateName>, to: Option<StateName>) {
        if let Some(from) = from {
            let number = &mut self.deliveries[from as usize];
            *number = number.saturating_sub(1);
        }
        if let Some(to) = to {
            self.deliveries[to as usize] += 1;
        }
    }
}
