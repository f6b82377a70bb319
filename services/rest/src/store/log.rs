//! This module owns the handle of the embedded store: reads go straight to the file,
//! writes to the writer thread.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::commit::{Change, Write, Writer};
use super::compact::DEAD_BYTES_ALLOWED;
use super::index::Index;
use super::{Store, StoreError, scan};
use crate::data_dir::DataDir;
use crate::id::ObjectId;

/// Writes that may wait for the writer; further ones wait for a place.
const QUEUE: usize = 4096;

/// Documents in one append-only file with a checksum for each (see docs/storage.md).
#[derive(Debug)]
pub struct LogStore {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Write>>,
    thread: Option<JoinHandle<()>>,
}

/// What readers and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) collection: &'static str,
    state: RwLock<State>,
    stopped: AtomicBool,
}

/// The file and what lives in it, which change together.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) file: Arc<File>,
    pub(crate) index: Index,
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
        let opened = scan::open(dir.path(), collection)?;
        let state = State { file: Arc::new(opened.file), index: opened.index };
        let shared = Arc::new(Shared {
            path: opened.path,
            collection,
            state: RwLock::new(state),
            stopped: AtomicBool::new(false),
        });
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer =
            Writer { shared: Arc::clone(&shared), waiting, end: opened.end, dead_bytes_allowed };
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::io(&shared.path, &error))?;
        Ok(Self { shared, queue: Some(queue), thread: Some(thread) })
    }

    async fn write(&self, id: ObjectId, change: Change) -> Result<Option<Bytes>, StoreError> {
        let gone = || StoreError::Stopped { path: self.shared.path.clone() };
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Write { id, change, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Store for LogStore {
    async fn get(&self, id: ObjectId) -> Result<Option<Bytes>, StoreError> {
        self.shared.get(id)
    }

    async fn list(&self) -> Result<Vec<Bytes>, StoreError> {
        let shared = Arc::clone(&self.shared);
        // As many reads as there are documents: too long for a thread that serves
        // other connections too.
        let read = move || {
            let (file, locations) = shared.read(|state| {
                let locations: Vec<_> = state.index.iter().map(|(_, location)| location).collect();
                (Arc::clone(&state.file), locations)
            });
            locations.into_iter().map(|location| location.read(&file, &shared.path)).collect()
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| {
            Err(StoreError::Io { path: self.shared.path.clone(), message: error.to_string() })
        })
    }

    async fn insert(&self, id: ObjectId, document: Bytes) -> Result<(), StoreError> {
        self.write(id, Change::Insert(document)).await.map(|_| ())
    }

    async fn replace(&self, id: ObjectId, document: Bytes) -> Result<bool, StoreError> {
        Ok(self.write(id, Change::Replace(document)).await?.is_some())
    }

    async fn remove(&self, id: ObjectId) -> Result<Option<Bytes>, StoreError> {
        self.write(id, Change::Remove).await
    }

    async fn check(&self) -> Result<usize, StoreError> {
        if self.shared.is_stopped() {
            return Err(StoreError::Stopped { path: self.shared.path.clone() });
        }
        Ok(self.shared.read(|state| state.index.len()))
    }
}

impl Drop for LogStore {
    /// Waits until every accepted write has been made durable.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has been printed when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    pub(crate) fn get(&self, id: ObjectId) -> Result<Option<Bytes>, StoreError> {
        let found = self.read(|state| state.index.get(id).map(|at| (at, Arc::clone(&state.file))));
        found.map(|(location, file)| location.read(&file, &self.path)).transpose()
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
}

#[cfg(test)]
mod tests;
