//! Lists documents by ascending id, in one state.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::read::document;
use super::shared::Shared;
use super::snapshots::{Reader, Slot};
use super::totals::Totals;
use crate::columns::after_bytes;
use crate::list::{CHUNK, in_chunks};
use crate::{Document, Listing, ObjectId, Page, StoreError};

/// The documents of a page. Waits for the disk.
pub(super) fn list(shared: &Arc<Shared>, page: Page) -> Result<Listing, StoreError> {
    match page.limit {
        Some(limit) => read_page(shared, page.after, limit),
        None => begin(shared, page.after),
    }
}

/// Reads a page at once: it takes little memory, and no state is kept from being overwritten.
fn read_page(
    shared: &Arc<Shared>,
    after: Option<ObjectId>,
    limit: usize,
) -> Result<Listing, StoreError> {
    let connection = shared.pool.take()?;
    let state = || -> rusqlite::Result<_> {
        // Ends when it is dropped: nothing was written.
        let transaction = connection.unchecked_transaction()?;
        let totals = Totals::load(&transaction)?;
        let rows = read(&transaction, after, limit.saturating_add(1), usize::MAX)?;
        Ok((totals, rows))
    };
    let (totals, mut rows) = state().map_err(|error| shared.translate(&error))?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    if after.is_none() && !has_more && rows.len() as u64 != totals.documents {
        return Err(shared.damaged("documents are missing from the index by id"));
    }
    let documents = rows.into_iter().map(|row| shared.sound(row)).collect::<Result<Vec<_>, _>>()?;
    Ok(Listing {
        count: Some(documents.len() as u64),
        bytes: Some(documents.iter().map(|document| document.bytes.len() as u64).sum()),
        next_after: documents.last().filter(|_| has_more).map(|document| document.id),
        revision: shared.revision_of(totals.commits),
        chunks: in_chunks(documents),
    })
}

/// Begins a list of everything: its state stays as it is until it was read, or for as long as it
/// may.
fn begin(shared: &Arc<Shared>, after: Option<ObjectId>) -> Result<Listing, StoreError> {
    let slot = shared.snapshots.begin(Reader::List)?;
    // From here on the state ends whatever happens.
    let mut reading =
        Reading { shared: Arc::clone(shared), slot, after, is_done: false, missing: None };
    let totals = reading
        .slot
        .read(|connection| Totals::load(connection).map_err(|error| shared.translate(&error)))?;
    reading.missing = after.is_none().then_some(totals.documents);
    shared.log.wake();
    let is_all = after.is_none();
    Ok(Listing {
        count: is_all.then_some(totals.documents),
        bytes: is_all.then_some(totals.bytes),
        next_after: None,
        revision: shared.revision_of(totals.commits),
        chunks: Box::new(reading),
    })
}

/// A list of which some was read.
struct Reading {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    after: Option<ObjectId>,
    is_done: bool,
    /// How many documents are still to come, if that is known.
    missing: Option<u64>,
}

impl Reading {
    /// Compares what was read with how many documents there are: damage of the tree can hide
    /// some.
    fn check_count(&self) -> Result<(), StoreError> {
        match self.missing {
            None | Some(0) => Ok(()),
            Some(_) => Err(self.shared.damaged("documents are missing from the index by id")),
        }
    }
}

impl Iterator for Reading {
    type Item = Result<Vec<Document>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let shared = &self.shared;
        let rows = self.slot.read(|connection| {
            let rows = read(connection, self.after, usize::MAX, CHUNK);
            rows.map_err(|error| shared.translate(&error))
        });
        let sound = |rows: Vec<_>| rows.into_iter().map(|row| shared.sound(row)).collect();
        let chunk: Result<Vec<_>, _> = rows.and_then(sound);
        match chunk {
            Ok(documents) if documents.is_empty() => {
                self.is_done = true;
                self.shared.snapshots.end(&self.slot);
                self.check_count().err().map(Err)
            }
            Ok(documents) => {
                // Wraps if there are more than there should be.
                let count = documents.len() as u64;
                self.missing = self.missing.map(|missing| missing.wrapping_sub(count));
                self.after = documents.last().map(|document| document.id);
                Some(Ok(documents))
            }
            Err(error) => {
                self.is_done = true;
                Some(Err(error))
            }
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.shared.snapshots.end(&self.slot);
    }
}

/// Documents after an id, as many as both limits allow, but one at least.
pub(super) fn read(
    connection: &Connection,
    after: Option<ObjectId>,
    limit: usize,
    max_bytes: usize,
) -> rusqlite::Result<Vec<Result<Document, ObjectId>>> {
    let sql = "SELECT id, tag, body FROM documents WHERE id > ?1 ORDER BY id";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![after_bytes(after.as_ref())])?;
    let (mut documents, mut bytes) = (Vec::new(), 0);
    while documents.len() < limit
        && let Some(row) = rows.next()?
    {
        let length = row.get_ref(2)?.as_blob()?.len();
        if !documents.is_empty() && bytes + length > max_bytes {
            break;
        }
        bytes += length;
        documents.push(document(row, 0)?);
    }
    Ok(documents)
}
