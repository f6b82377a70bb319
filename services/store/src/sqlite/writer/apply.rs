//! Changes documents and what follows from them.

use rusqlite::{OptionalExtension, params};

use super::super::numbers;
use super::super::totals::Totals;
use super::{Failure, Writer};
use crate::settings::Growth;
use crate::{
    Condition, Document, Facts, ObjectId, SearchFacts, StoreError, Tag, Write, WriteOutcome,
};

/// What is known of a stored document without its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    number: i64,
    tag: Tag,
    key: Option<i64>,
    bytes: u64,
}

/// Times are multiplied by this to become keys, which leaves numbers to make them unique.
pub(in super::super) const KEYS_IN_A_SECOND: i64 = 1 << 20;
/// Later and earlier times have no keys of their own: some 278,000 years from 1970.
const MAX_SECONDS: i64 = (1 << 43) - 2;

/// The first key of a second.
pub(in super::super) fn first_key(seconds: i64) -> i64 {
    seconds.clamp(-MAX_SECONDS, MAX_SECONDS) * KEYS_IN_A_SECOND
}

/// The last key of a second.
pub(in super::super) fn last_key(seconds: i64) -> i64 {
    first_key(seconds) + (KEYS_IN_A_SECOND - 1)
}

impl Writer {
    pub(super) fn write(&mut self, write: &Write) -> Result<WriteOutcome, Failure> {
        match write {
            Write::Create { document, facts } => {
                let document = match self.last_id {
                    Some(last) if document.id <= last => document.with_id(last.next()),
                    _ => document.clone(),
                };
                self.put(&document, facts, None)?;
                return Ok(WriteOutcome::Created(document));
            }
            Write::Insert { document, facts } => {
                let stored = self.stored(document.id)?;
                self.put(document, facts, stored)?;
            }
            Write::Replace { document, facts, condition } => {
                let Some(stored) = self.stored(document.id)? else {
                    return Ok(WriteOutcome::NotFound);
                };
                if !condition.holds(stored.tag) {
                    return Ok(WriteOutcome::ConditionFailed);
                }
                self.put(document, facts, Some(stored))?;
            }
            Write::Remove { id, condition } => return self.remove(*id, condition),
        }
        Ok(WriteOutcome::Done(None))
    }

    fn stored(&self, id: ObjectId) -> rusqlite::Result<Option<Stored>> {
        let sql = "SELECT number, tag, key, length(body) FROM documents WHERE id = ?1";
        let mut select = self.connection.prepare_cached(sql)?;
        let stored = select.query_row([id], |row| {
            let bytes = row.get::<_, i64>(3)?.cast_unsigned();
            Ok(Stored { number: row.get(0)?, tag: row.get(1)?, key: row.get(2)?, bytes })
        });
        stored.optional()
    }

    /// Stores a document in the place of another. If there is none, it has no delivery either.
    pub(super) fn put(
        &mut self,
        document: &Document,
        facts: &Facts,
        stored: Option<Stored>,
    ) -> Result<(), Failure> {
        let (Document { id, bytes, tag }, length) = (document, document.bytes.len() as u64);
        let Totals { documents, bytes: total, .. } = self.totals;
        let old_length = stored.map(|stored| stored.bytes);
        let growth = Growth { documents, bytes: total, old_length, length };
        self.room.allow(&growth).map_err(Failure::Refused)?;
        let key = self.key(facts.search.as_ref(), stored.and_then(|stored| stored.key))?;
        let number = if let Some(Stored { number, .. }) = stored {
            let sql = "UPDATE documents SET tag = ?2, key = ?3, body = ?4 WHERE number = ?1";
            let mut update = self.connection.prepare_cached(sql)?;
            update.execute(params![number, tag, key, bytes.as_ref()])?;
            number
        } else {
            numbers::insert(&self.connection, (*id, *tag, key, bytes.as_ref()))?
        };
        self.place(number, stored.and_then(|stored| stored.key), key, facts.search.as_ref())?;
        match &facts.delivery {
            Some(schedule) => self.schedule(*id, *tag, schedule, stored.is_some())?,
            None if stored.is_some() => self.unschedule(*id)?,
            None => {}
        }
        if let Some(at) = facts.remove_at {
            self.remove_later(*id, *tag, at)?;
        }
        self.totals.documents += u64::from(stored.is_none());
        self.totals.bytes = total.saturating_sub(old_length.unwrap_or(0)) + length;
        self.last_id = self.last_id.max(Some(*id));
        self.changed.push(*id);
        Ok(())
    }

    /// The key of a document; the one that it has, unless it is of another second.
    fn key(&self, facts: Option<&SearchFacts>, old: Option<i64>) -> rusqlite::Result<Option<i64>> {
        let Some(facts) = facts else { return Ok(None) };
        let mut first = first_key(facts.at);
        if let Some(old) = old.filter(|old| (first..first + KEYS_IN_A_SECOND).contains(old)) {
            return Ok(Some(old));
        }
        let sql = "SELECT max(key) FROM positions WHERE key BETWEEN ?1 AND ?2";
        let mut select = self.connection.prepare_cached(sql)?;
        loop {
            let last = first + (KEYS_IN_A_SECOND - 1);
            let greatest = select.query_row([first, last], |row| row.get::<_, Option<i64>>(0))?;
            let next = greatest.map_or(first, |key| key + 1);
            if next <= last {
                return Ok(Some(next));
            }
            // A million events in one second: this one counts as one of the next.
            first += KEYS_IN_A_SECOND;
        }
    }

    /// Changes where a document is found.
    fn place(
        &mut self,
        number: i64,
        old: Option<i64>,
        new: Option<i64>,
        facts: Option<&SearchFacts>,
    ) -> rusqlite::Result<()> {
        if let Some(old) = old {
            self.index.remove(old);
            if new != Some(old) {
                self.forget_position(old)?;
            }
        }
        let (Some(key), Some(facts)) = (new, facts) else { return Ok(()) };
        if old != Some(key) {
            let sql = "INSERT INTO positions (key, number) VALUES (?1, ?2)";
            self.connection.prepare_cached(sql)?.execute([key, number])?;
        }
        self.index.insert(key, facts);
        Ok(())
    }

    fn forget_position(&self, key: i64) -> rusqlite::Result<()> {
        self.connection.prepare_cached("DELETE FROM positions WHERE key = ?1")?.execute([key])?;
        Ok(())
    }

    pub(super) fn remove(
        &mut self,
        id: ObjectId,
        condition: &Condition,
    ) -> Result<WriteOutcome, Failure> {
        let Some(stored) = self.stored(id)? else { return Ok(WriteOutcome::NotFound) };
        if !condition.holds(stored.tag) {
            return Ok(WriteOutcome::ConditionFailed);
        }
        let removed = self.shared.read(&self.connection, id);
        let removed = match removed {
            // It can be removed, but not be shown.
            Err(StoreError::DamagedDocument { .. }) => None,
            other => other.map_err(Failure::Refused)?,
        };
        let sql = "DELETE FROM documents WHERE number = ?1";
        self.connection.prepare_cached(sql)?.execute([stored.number])?;
        self.place(stored.number, stored.key, None, None)?;
        self.unschedule(id)?;
        self.totals.documents = self.totals.documents.saturating_sub(1);
        self.totals.bytes = self.totals.bytes.saturating_sub(stored.bytes);
        self.changed.push(id);
        Ok(WriteOutcome::Done(removed))
    }
}
