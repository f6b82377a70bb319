//! Removes documents at the time that was noted when they were stored.

use rusqlite::params;

use super::{Answer, Failure, Writer};
use crate::columns::{rows, signed};
use crate::{Condition, ObjectId, Tag};

impl Writer {
    /// Notes when a document is removed unless it has been replaced.
    pub(super) fn remove_later(&self, id: ObjectId, tag: Tag, at: u64) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO removals (id, tag, at) VALUES (?1, ?2, ?3)";
        self.connection.prepare_cached(sql)?.execute(params![id, tag, signed(at)])?;
        Ok(())
    }

    pub(super) fn remove_due(&mut self, limit: usize, now: u64) -> Result<Answer, Failure> {
        let sql = "SELECT id, tag FROM removals WHERE at <= ?1 ORDER BY at LIMIT ?2";
        let mut select = self.connection.prepare_cached(sql)?;
        let due = select
            .query_map(params![signed(now), rows(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let due = due.collect::<rusqlite::Result<Vec<(ObjectId, Tag)>>>()?;
        drop(select);
        for (id, tag) in &due {
            // One that was replaced stays.
            self.remove(*id, &Condition::only(*tag))?;
            let sql = "DELETE FROM removals WHERE id = ?1";
            self.connection.prepare_cached(sql)?.execute([id])?;
        }
        Ok(Answer::Count(due.len()))
    }
}
