//! Lists documents by ascending id, in one state.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;

use super::connection::Connection;
use super::health::Health;
use super::pool::{Pool, Pooled, discard};
use super::rows::document;
use super::status::{self, Status};
use crate::columns::{after_bytes, rows};
use crate::list::{CHUNK, in_chunks};
use crate::{Document, Listing, ObjectId, StoreError};

/// Lists at once, as far as connections allow.
pub(super) const LISTS: usize = 32;
/// How long a list may take: as long as its state is kept, nothing that it shows can be cleaned
/// up.
const LIST_TIME: Duration = Duration::from_secs(30);
/// Documents that are read at once, whatever their size.
const MAX_ROWS: usize = 1000;
/// Bytes of a document, as long as none was read.
const TYPICAL_BYTES: usize = 512;

pub(super) const DOCUMENTS: &str =
    "SELECT id, tag, body FROM documents WHERE id > $1 ORDER BY id LIMIT $2";
/// Begins a transaction that sees one state. Its first statement fixes the state.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A row of a document that was read.
type Found = Result<Document, ObjectId>;

/// Reads a page at once.
pub(super) async fn read_page(
    pool: &Pool,
    health: &Health,
    after: Option<ObjectId>,
    limit: usize,
) -> Result<Listing, StoreError> {
    let mut connection = pool.get().await?;
    let status = connection.prepare(status::SELECT).await?;
    let select = connection.prepare(DOCUMENTS).await?;
    connection.expect_answer();
    let client = connection.client();
    let (after, count) = (after_bytes(after.as_ref()), rows(limit.saturating_add(1)));
    let range: [&(dyn ToSql + Sync); 2] = [&after, &count];
    // All are sent at once: a client that leaves cannot leave the transaction open.
    let read = async {
        tokio::try_join!(
            biased;
            client.batch_execute(BEGIN),
            client.query_one(&status, &[]),
            client.query(&select, &range),
            client.batch_execute("COMMIT"),
        )
    };
    let read = connection.in_time(read).await;
    let ((), status, found, ()) = match connection.answered(read) {
        Ok(read) => read,
        Err(error) => {
            // Whether its transaction has ended is not known.
            discard(connection);
            return Err(error);
        }
    };
    let documents = || found.iter().map(|row| document(row, 0)).collect::<Result<Vec<_>, _>>();
    let read = Status::read(&status).and_then(|status| Ok((status, documents()?)));
    let (status, mut found) = connection.judge(read)?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let documents = found.into_iter().map(|it| health.sound(it)).collect::<Result<Vec<_>, _>>()?;
    Ok(Listing {
        count: Some(documents.len() as u64),
        bytes: Some(documents.iter().map(|document| document.bytes.len() as u64).sum()),
        next_after: documents.last().filter(|_| has_more).map(|document| document.id),
        revision: status.revision(),
        chunks: in_chunks(documents),
    })
}

/// Begins a list of everything: its state stays as it is until it was read, or for as long as it
/// may.
pub(super) async fn begin(
    pool: &Pool,
    health: &Arc<Health>,
    lists: &Arc<Semaphore>,
    after: Option<ObjectId>,
) -> Result<Listing, StoreError> {
    let busy = |_| StoreError::Busy { why: "too many lists are being read" };
    let permit = Arc::clone(lists).try_acquire_owned().map_err(busy)?;
    let mut transaction = Transaction::begin(pool, BEGIN).await?;
    let status = Status::of(transaction.connection()?, status::SELECT).await?;
    // Once its state has ended, a list takes no place any more.
    let slot = Arc::new(Mutex::new(Some((transaction, permit))));
    let watched = Arc::clone(&slot);
    let end = tokio::spawn(async move {
        tokio::time::sleep(LIST_TIME).await;
        // Closes its connection.
        watched.lock().await.take();
    });
    let is_all = after.is_none();
    Ok(Listing {
        count: is_all.then_some(status.documents),
        bytes: is_all.then_some(status.bytes),
        next_after: None,
        revision: status.revision(),
        chunks: Box::new(Reading {
            slot,
            end: end.abort_handle(),
            health: Arc::clone(health),
            runtime: Handle::current(),
            after,
            rows: CHUNK / TYPICAL_BYTES,
            read: Box::new(std::iter::empty()),
            is_done: false,
        }),
    })
}

/// A transaction, such as one that shows one state. Its connection is closed if it is dropped
/// before it has ended.
#[derive(Debug)]
pub(super) struct Transaction(Option<Pooled>);

impl Transaction {
    /// Begins one by this statement.
    pub(super) async fn begin(pool: &Pool, sql: &str) -> Result<Self, StoreError> {
        let connection = pool.get().await?;
        // From here on the transaction ends whatever happens.
        let mut transaction = Self(Some(connection));
        transaction.connection()?.run(sql).await?;
        Ok(transaction)
    }

    pub(super) fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        self.0.as_deref_mut().ok_or(StoreError::Expired)
    }

    /// Commits it, so that the connection can be used again.
    pub(super) async fn end(mut self) -> Result<(), StoreError> {
        let connection = self.connection()?;
        connection.run("COMMIT").await?;
        connection.reset_patience();
        drop(self.0.take());
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            discard(connection);
        }
    }
}

/// A list of which some was read.
struct Reading {
    slot: Arc<Mutex<Option<(Transaction, OwnedSemaphorePermit)>>>,
    /// Ends the state after a while.
    end: AbortHandle,
    health: Arc<Health>,
    runtime: Handle,
    after: Option<ObjectId>,
    /// How many documents have about the size of a chunk.
    rows: usize,
    /// What was read and not returned yet.
    read: crate::Chunks,
    is_done: bool,
}

impl Reading {
    /// Reads some documents; none at the end of the list.
    async fn read(&mut self) -> Result<Vec<Document>, StoreError> {
        let mut slot = self.slot.lock().await;
        let Some((transaction, _)) = slot.as_mut() else { return Err(StoreError::Expired) };
        let (after, limit) = (after_bytes(self.after.as_ref()), rows(self.rows));
        let connection = transaction.connection()?;
        let found = connection.query(DOCUMENTS, &[&after, &limit]).await?;
        if found.is_empty() {
            if let Some((transaction, _)) = slot.take() {
                // All of it was read: how the transaction ends does not matter.
                let _ = transaction.end().await;
            }
            return Ok(Vec::new());
        }
        let found = found.iter().map(|row| document(row, 0)).collect::<Result<Vec<Found>, _>>();
        let found = connection.judge(found)?;
        found.into_iter().map(|it| self.health.sound(it)).collect()
    }
}

impl Iterator for Reading {
    type Item = Result<Vec<Document>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(chunk) = self.read.next() {
            return Some(chunk);
        }
        if self.is_done {
            return None;
        }
        let runtime = self.runtime.clone();
        match runtime.block_on(self.read()) {
            Ok(documents) if documents.is_empty() => {
                self.is_done = true;
                None
            }
            Ok(documents) => {
                self.after = documents.last().map(|document| document.id);
                let bytes: usize = documents.iter().map(|document| document.bytes.len()).sum();
                self.rows = (CHUNK * documents.len() / bytes.max(1)).clamp(1, MAX_ROWS);
                self.read = in_chunks(documents);
                self.read.next()
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
        self.end.abort();
        // Its place is free now, and not only when the other task is gone, which holds the slot
        // only to close the connection itself.
        if let Ok(mut slot) = self.slot.try_lock() {
            slot.take();
        }
    }
}
