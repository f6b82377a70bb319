//! This module owns the handle of the embedded store: reads go straight to the file,
//! writes to the writer thread.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::commit::{Change, Message, Write, Writer, Written};
use super::compact::{DEAD_BYTES_ALLOWED, Rewriting};
use super::index::{Index, Snapshot};
use super::metrics::Counters;
use super::recent::{Place, Recent};
use super::{
    Chunks, Condition, Document, Listing, Outcome, Page, Revision, Store, StoreError, StoreMetrics,
    blocking, read, scan,
};
use crate::data_dir::DataDir;
use crate::id::ObjectId;

/// Writes that may wait for the writer; further ones wait for a place.
const QUEUE: usize = 4096;
/// How many documents are picked at a time.
const PICKED_AT_ONCE: usize = 128;
/// What is read of a list at a time.
const CHUNK_BYTES: u64 = 64 << 10;

/// Documents in one append-only file with a checksum for each (see docs/storage.md).
#[derive(Debug)]
pub struct LogStore {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

/// What readers and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) collection: &'static str,
    pub(crate) counters: Counters,
    recent: Recent,
    state: RwLock<State>,
    /// Makes revisions differ from those of an earlier start.
    epoch: u64,
    /// No more writes: an earlier one left unclear what is on the disk.
    stopped: AtomicBool,
    /// The store is being closed: work that nobody waits for ends.
    closing: AtomicBool,
}

/// The file and what lives in it, which change together.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) file: Arc<File>,
    /// How many files the log has had since the store was opened.
    pub(crate) number: u32,
    pub(crate) index: Index,
    /// The end of the last batch.
    pub(crate) end: u64,
    /// Commits since the store was opened.
    pub(crate) commits: u64,
}

impl LogStore {
    /// Opens the log of a collection in a locked folder, or makes an empty one.
    pub fn open(dir: &DataDir, collection: &'static str) -> Result<Self, StoreError> {
        Self::open_with(dir, collection, DEAD_BYTES_ALLOWED)
    }

    fn open_with(
        dir: &DataDir,
        collection: &'static str,
        dead_bytes_allowed: u64,
    ) -> Result<Self, StoreError> {
        let scan::Opened { path, file, index, end } = scan::open(dir.path(), collection)?;
        let epoch = getrandom::u64()
            .map_err(|error| StoreError::Io { path: path.clone(), message: error.to_string() })?;
        let shared = Arc::new(Shared {
            path,
            collection,
            counters: Counters::new(),
            recent: Recent::new(),
            state: RwLock::new(State { file: Arc::new(file), number: 0, index, end, commits: 0 }),
            epoch,
            stopped: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        });
        let (queue, waiting) = mpsc::channel(QUEUE);
        let rewriting = Rewriting::new(queue.downgrade(), dead_bytes_allowed);
        let writer = Writer { shared: Arc::clone(&shared), waiting, rewriting, held_over: None };
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::io(&shared.path, &error))?;
        Ok(Self { shared, queue: Some(queue), thread: Some(thread) })
    }

    /// The first `limit` ids greater than `after`, by ascending id.
    pub fn ids_after(&self, after: Option<ObjectId>, limit: usize) -> Vec<ObjectId> {
        let mut snapshot = self.shared.read(|state| state.index.snapshot(after, limit));
        let mut ids = Vec::with_capacity(snapshot.len());
        loop {
            let entries = snapshot.take(CHUNK_BYTES);
            if entries.is_empty() {
                return ids;
            }
            ids.extend(entries.iter().map(|entry| entry.id));
        }
    }

    /// All documents, some at a time, for a thread that may wait for the disk.
    pub fn list_all(&self) -> Chunks {
        self.list(Page::ALL).chunks
    }

    /// The document of `id`, for a thread that may wait for the disk.
    pub fn read(&self, id: ObjectId) -> Result<Option<Document>, StoreError> {
        self.shared.get(id)
    }

    async fn write(&self, id: ObjectId, change: Change) -> Written {
        let gone = || StoreError::Stopped { path: self.shared.path.clone() };
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        let write = Message::Write(Write { id, change, reply });
        queue.send(write).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Store for LogStore {
    async fn get(&self, id: ObjectId) -> Result<Option<Document>, StoreError> {
        if let Some(result) = self.get_at_once(id) {
            return result;
        }
        // The disk must be asked, and other connections should not wait for that.
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.get(id)).await
    }

    fn get_at_once(&self, id: ObjectId) -> Option<Result<Option<Document>, StoreError>> {
        let (place, file) = match self.shared.find(id) {
            None => return Some(Ok(None)),
            Some(Found::Recent(document)) => return Some(Ok(Some(document))),
            Some(Found::Stored(place, file)) => (place, file),
        };
        let bytes = read::cached_document(&file, &self.shared.path, id, place.location)?;
        Some(bytes.map(|bytes| Some(self.shared.keep(place, bytes))))
    }

    fn list(&self, page: Page) -> Listing {
        let (file, snapshot, revision) = self.shared.read(|state| {
            let snapshot = state.index.snapshot(page.after, page.limit);
            (Arc::clone(&state.file), snapshot, self.shared.revision(state))
        });
        let next_after = if snapshot.has_more() { snapshot.last_id() } else { None };
        Listing {
            count: snapshot.len(),
            bytes: snapshot.document_bytes(),
            next_after,
            revision,
            chunks: Box::new(chunks(Arc::clone(&self.shared), file, snapshot)),
        }
    }

    fn pick(&self, ids: Vec<ObjectId>) -> Chunks {
        let shared = Arc::clone(&self.shared);
        let mut ids = ids.into_iter();
        Box::new(std::iter::from_fn(move || {
            let mut picked = Vec::new();
            for id in ids.by_ref().take(PICKED_AT_ONCE) {
                match shared.get(id) {
                    Ok(document) => picked.extend(document.map(|it| it.bytes)),
                    Err(error) => return Some(Err(error)),
                }
            }
            (!picked.is_empty() || ids.len() > 0).then_some(Ok(picked))
        }))
    }

    async fn insert(&self, id: ObjectId, document: Bytes) -> Result<(), StoreError> {
        self.write(id, Change::Insert(document)).await.map(|_| ())
    }

    async fn replace(
        &self,
        id: ObjectId,
        document: Bytes,
        condition: Condition,
    ) -> Result<Outcome<()>, StoreError> {
        Ok(self.write(id, Change::Replace(document, condition)).await?.map(drop))
    }

    async fn remove(
        &self,
        id: ObjectId,
        condition: Condition,
    ) -> Result<Outcome<Document>, StoreError> {
        Ok(match self.write(id, Change::Remove(condition)).await? {
            Outcome::Done(Some(document)) => Outcome::Done(document),
            Outcome::Done(None) | Outcome::NotFound => Outcome::NotFound,
            Outcome::ConditionFailed => Outcome::ConditionFailed,
        })
    }

    fn revision(&self) -> Revision {
        self.shared.read(|state| self.shared.revision(state))
    }

    fn check(&self) -> Result<usize, StoreError> {
        if self.shared.is_stopped() {
            return Err(StoreError::Stopped { path: self.shared.path.clone() });
        }
        Ok(self.shared.read(|state| state.index.len()))
    }

    fn metrics(&self) -> StoreMetrics {
        self.shared.read(|state| {
            let index = &state.index;
            self.shared.counters.read(index.len(), index.live_bytes(), state.end)
        })
    }
}

/// The documents of a snapshot, read from the file that they lay in when it was taken.
fn chunks(
    shared: Arc<Shared>,
    file: Arc<File>,
    mut snapshot: Snapshot,
) -> impl Iterator<Item = Result<Vec<Bytes>, StoreError>> + Send {
    std::iter::from_fn(move || {
        let entries = snapshot.take(CHUNK_BYTES);
        (!entries.is_empty()).then(|| read::documents(&file, &shared.path, &entries))
    })
}

impl Drop for LogStore {
    /// Waits until every accepted write has been made durable.
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has been printed when it happened.
            let _ = thread.join();
        }
    }
}

/// Where a document was found.
enum Found {
    /// Among those that were read last.
    Recent(Document),
    /// In the file.
    Stored(Place, Arc<File>),
}

impl Shared {
    /// The document of `id`, for a thread that may wait for the disk.
    pub(crate) fn get(&self, id: ObjectId) -> Result<Option<Document>, StoreError> {
        match self.find(id) {
            None => Ok(None),
            Some(Found::Recent(document)) => Ok(Some(document)),
            Some(Found::Stored(place, file)) => {
                let bytes = read::document(&file, &self.path, id, place.location)?;
                Ok(Some(self.keep(place, bytes)))
            }
        }
    }

    /// Whether there is a document of `id`.
    pub(crate) fn contains(&self, id: ObjectId) -> bool {
        self.read(|state| state.index.get(id).is_some())
    }

    fn find(&self, id: ObjectId) -> Option<Found> {
        self.read(|state| {
            let place = Place { file: state.number, location: state.index.get(id)? };
            Some(match self.recent.get(place) {
                Some(document) => Found::Recent(document),
                None => Found::Stored(place, Arc::clone(&state.file)),
            })
        })
    }

    fn keep(&self, place: Place, bytes: Bytes) -> Document {
        let document = Document::from(bytes);
        self.recent.keep(place, &document);
        document
    }

    fn revision(&self, state: &State) -> Revision {
        Revision { epoch: self.epoch, commits: state.commits }
    }

    // A panic while the lock is held cannot leave the state half changed: it is
    // changed by moves and map insertions only.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
