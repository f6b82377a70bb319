//! Fills an empty database from a backup.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::failure::translate;
use super::super::shared::Shared;
use super::super::state::{COLUMNS, delivery};
use super::super::suppressions;
use super::super::totals::Totals;
use super::deliveries::{MAIL_SINCE, set_meta};
use super::{Failure, Writer};
use crate::backup::{self, Item};
use crate::clock::now;
use crate::{
    BackupError, BackupSummary, Delivery, DeliveryState, Facts, Limits, ObjectId, Settings,
    StateName, StoreError, Tag,
};

/// Lines of a backup in one transaction, and bytes of their documents: the index keeps the words
/// of a transaction in memory.
const BATCH: u64 = 2000;
const BATCH_BYTES: usize = 4 << 20;
/// Suppressions that are read at once.
const PART_ROWS: usize = 1000;

/// Fills an empty database. It is the writer, without its thread and its queue.
pub(in super::super) struct Restorer {
    writer: Writer,
    path: PathBuf,
    facts: fn(&[u8]) -> Facts,
    /// The database that is replaced.
    former: Option<Connection>,
}

impl Restorer {
    pub(in super::super) fn new(
        connection: Connection,
        path: &Path,
        settings: &Settings,
        former: Option<Connection>,
    ) -> Result<Self, StoreError> {
        let shared = Shared::new(path.into(), settings.collection, Totals::default())?;
        // Limits are for clients: what was stored once is restored.
        let writer = Writer::new(connection, Arc::new(shared), Limits::default())?;
        Ok(Self { writer, path: path.into(), facts: settings.facts, former })
    }

    /// Reads the whole backup into the database.
    pub(in super::super) fn restore(
        mut self,
        lines: &mut backup::Reader<'_>,
    ) -> Result<BackupSummary, BackupError> {
        let (mut count, mut bytes, mut since) = (0, 0, None);
        self.begin()?;
        let summary = loop {
            match lines.read()? {
                Item::Document(document) => {
                    bytes += document.bytes.len();
                    let facts = (self.facts)(&document.bytes);
                    let put = self.writer.put(&document, &facts, None);
                    put.map_err(|failure| self.failed(failure))?;
                }
                Item::Delivery(id, delivery) => {
                    self.delivery(id, delivery).map_err(|error| self.failed(error.into()))?;
                }
                Item::Suppression(suppression) => {
                    let put = self.writer.put_suppression(&suppression);
                    put.map_err(|error| self.failed(error.into()))?;
                }
                Item::MailSince(time) => since = Some(time),
                Item::End(summary) => break summary,
            }
            count += 1;
            if count >= BATCH || bytes >= BATCH_BYTES {
                self.commit()?;
                self.begin()?;
                (count, bytes) = (0, 0);
            }
        };
        if let Some(since) = since {
            set_meta(&self.writer.connection, MAIL_SINCE, since)
                .map_err(|error| self.failed(error.into()))?;
        }
        self.keep_suppressions().map_err(|error| self.failed(error.into()))?;
        self.commit()?;
        Ok(summary)
    }

    /// Keeps the suppressions of the database that is replaced: whoever wants no mails gets none
    /// because of an older backup. What cannot be read of them is lost, which the log says.
    fn keep_suppressions(&self) -> rusqlite::Result<()> {
        let Some(former) = &self.former else { return Ok(()) };
        // The last release had none.
        if former.table_exists(None, "suppressions").is_ok_and(|exists| !exists) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let found = match suppressions::select(former, after, PART_ROWS) {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(
                        %error, "cannot read all addresses that want no mails in the data that are replaced"
                    );
                    return Ok(());
                }
            };
            let Some(last) = found.last() else { return Ok(()) };
            after = Some(last.address);
            found.iter().try_for_each(|suppression| self.writer.put_suppression(suppression))?;
        }
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        let begun = self.writer.connection.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(|error| translate(&self.path, &error))
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let writer = &mut self.writer;
        let commit = |writer: &mut Writer| {
            writer.index.write(&writer.connection)?;
            writer.totals.commits += 1;
            writer.totals.save(&writer.connection)?;
            writer.connection.execute_batch("COMMIT")?;
            writer.connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)")
        };
        commit(writer).map_err(|error| translate(&self.path, &error))?;
        writer.index.clear();
        writer.changed.clear();
        Ok(())
    }

    /// Gives the delivery of a restored document the state that it had.
    fn delivery(&mut self, id: ObjectId, delivery: Delivery) -> rusqlite::Result<()> {
        let sql = "SELECT v.due, d.tag FROM deliveries v JOIN documents d USING (id)
                   WHERE v.id = ?1";
        let scheduled: Option<(Option<i64>, Tag)> = self
            .writer
            .connection
            .prepare_cached(sql)?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        // One of a document that asks for no mail, or asks for another by now.
        let Some((due, _)) = scheduled.filter(|(_, tag)| *tag == delivery.tag) else {
            return Ok(());
        };
        let sent = self.sent_since(id, delivery.tag);
        let state = match sent.unwrap_or(delivery.state) {
            DeliveryState::Scheduled { due: 0, failures } => {
                let due = due.map_or_else(now, |due| u64::try_from(due).unwrap_or(0));
                DeliveryState::Scheduled { due, failures }
            }
            other => other,
        };
        let known = self.writer.known(id)?.map(|known| known.state.name());
        self.writer.change(id, known.unwrap_or(state.name()), &state)?;
        Ok(())
    }

    /// How the database that is replaced has sent the same mail, if it has: an older backup must
    /// not have it sent again.
    fn sent_since(&self, id: ObjectId, tag: Tag) -> Option<DeliveryState> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deliveries v WHERE v.id = ?1 AND v.tag = ?2 AND v.state = ?3"
        );
        let mut select = self.former.as_ref()?.prepare_cached(&sql).ok()?;
        let row = select.query_row(params![id, tag, StateName::Sent], |row| delivery(row, 0));
        row.ok()?.map(|sent| sent.state)
    }

    fn failed(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Refused(error) => error,
            Failure::Sqlite(error) => translate(&self.path, &error),
        }
    }
}
