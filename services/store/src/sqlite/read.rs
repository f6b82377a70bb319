//! Reads documents, each checked against its tag.

use std::sync::atomic::Ordering;
use std::time::Instant;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};

use super::failure::readable;
use super::numbers;
use super::reader::ReadConnection;
use super::shared::Shared;
use crate::{Document, ObjectId, StoreError, Tag};

impl ToSql for ObjectId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.bytes())))
    }
}

impl FromSql for ObjectId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 12]>::column_result(value).map(Self::from_bytes)
    }
}

impl ToSql for Tag {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.cast_signed().into())
    }
}

impl FromSql for Tag {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(|tag| Self(tag.cast_unsigned()))
    }
}

/// A document as it lies in a row: its id, tag and body, in three columns that follow each other.
/// The inner error is the id of one that is not what was written.
pub(super) fn document(
    row: &Row<'_>,
    first: usize,
) -> rusqlite::Result<Result<Document, ObjectId>> {
    let id: ObjectId = row.get(first)?;
    let values = || -> rusqlite::Result<(Tag, &[u8])> {
        Ok((row.get(first + 1)?, row.get_ref(first + 2)?.as_blob()?))
    };
    let Some((tag, body)) = readable(values())? else { return Ok(Err(id)) };
    Ok(Document::verified(id, tag, body))
}

impl Shared {
    /// The document under an id, not from the cache.
    pub(super) fn read(
        &self,
        connection: &Connection,
        id: ObjectId,
    ) -> Result<Option<Document>, StoreError> {
        // In its preferred row first, which takes half the time.
        let by_number = "SELECT id, tag, body FROM documents WHERE number = ?2 AND id = ?1";
        let by_id = "SELECT id, tag, body FROM documents WHERE id = ?1";
        let read = |sql, values: &[&dyn ToSql]| {
            connection.prepare_cached(sql)?.query_row(values, |row| document(row, 0)).optional()
        };
        let found = match read(by_number, &[&id, &numbers::preferred(id)]) {
            Ok(None) => read(by_id, &[&id]),
            found => found,
        };
        let found = found.map_err(|error| self.translate(&error))?;
        let own = |found: Result<Document, _>| found.ok().filter(|found| found.id == id).ok_or(id);
        found.map(|found| self.sound(own(found))).transpose()
    }

    /// The document, or an error that is logged with the id.
    pub(super) fn sound(
        &self,
        document: Result<Document, ObjectId>,
    ) -> Result<Document, StoreError> {
        document.map_err(|id| {
            self.counters.damaged.fetch_add(1, Ordering::Relaxed);
            let error = StoreError::DamagedDocument { id };
            tracing::error!(%id, file = %self.path.display(), "{error}");
            error
        })
    }

    /// As [`crate::Store::get_at_once`].
    pub(super) fn get_at_once(&self, id: ObjectId) -> Option<Result<Option<Document>, StoreError>> {
        if self.stalls.are_frequent() {
            return self.cache.get(id).map(|document| Ok(Some(document)));
        }
        let found = self.cache.get_or_read(id, || {
            // No connection is no error: somebody who may wait is to read it.
            let mut pooled = self.pool_at_once.try_take().and_then(Result::ok).ok_or(None)?;
            let begun = Instant::now();
            let found = self.read_at_once(pooled.reader(), id);
            self.stalls.note(begun.elapsed());
            found.map_err(Some)
        });
        match found {
            Err(None) => None,
            Err(Some(error)) => Some(Err(error)),
            Ok(found) => Some(Ok(found)),
        }
    }

    fn read_at_once(
        &self,
        reader: &mut ReadConnection,
        id: ObjectId,
    ) -> Result<Option<Document>, StoreError> {
        let kept = reader.keep_state(self.visible_commits());
        let found = kept.map_err(|error| self.translate(&error));
        let found = found.and_then(|()| self.read(&reader.connection, id));
        if found.is_err() {
            let _ = reader.release_state();
        }
        found
    }

    /// The document under an id; may wait.
    pub(super) fn get(&self, id: ObjectId) -> Result<Option<Document>, StoreError> {
        self.cache.get_or_read(id, || {
            let connection = self.pool.take()?;
            self.read(&connection, id)
        })
    }
}
