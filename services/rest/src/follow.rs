//! This module owns keeping an index of a service's documents, in memory, up to date with
//! its store.
//!
//! A thread of its own reads everything when the service starts, and follows every change.
//! Who asks waits until the index knows all changes that were answered before.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use crate::id::ObjectId;
use crate::store::LogStore;

/// Changes that the index takes at a time; a question may come between.
const AT_ONCE: usize = 512;
/// How long the thread sleeps before it looks whether it is needed any more.
const QUIET: Duration = Duration::from_secs(1);

/// What can be asked for without looking at each document.
pub trait Index: Send + 'static {
    /// Notes a document, in place of what was known of it.
    fn set(&mut self, id: ObjectId, document: &[u8]);

    /// Forgets a document, if it is known.
    fn remove(&mut self, id: ObjectId);
}

/// An index that follows a store, until the last of its owners is gone.
pub struct Followed<I>(Arc<Shared<I>>);

struct Shared<I> {
    store: Arc<LogStore>,
    index: Mutex<I>,
    changes: Mutex<Changes>,
    /// There are changes.
    news: Condvar,
    /// How many changes the index knows.
    known: watch::Sender<u64>,
}

/// What the index does not know yet.
struct Changes {
    waiting: Vec<ObjectId>,
    /// Changes so far.
    told: u64,
}

impl<I: Index> Followed<I> {
    /// Begins to read everything into an index that knows nothing yet. The error is the
    /// system's, which has no thread left.
    pub fn start(store: Arc<LogStore>, index: I) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            store,
            index: Mutex::new(index),
            // What was there before counts as one change.
            changes: Mutex::new(Changes { waiting: Vec::new(), told: 1 }),
            news: Condvar::new(),
            known: watch::Sender::new(0),
        });
        let following = Arc::downgrade(&shared);
        let work = move || {
            if let Some(shared) = following.upgrade() {
                shared.begin();
            }
            while let Some(shared) = following.upgrade() {
                shared.follow();
            }
        };
        let thread = thread::Builder::new().name("index".into());
        thread.spawn(work).map_err(|error| error.to_string())?;
        Ok(Self(shared))
    }

    /// A document was stored under an id, or removed.
    pub fn changed(&self, id: ObjectId) {
        let mut changes = self.0.changes();
        changes.waiting.push(id);
        changes.told += 1;
        drop(changes);
        self.0.news.notify_one();
    }

    /// Waits until all changes so far are known.
    pub async fn catch_up(&self) {
        let told = self.0.changes().told;
        // The sender lives as long as this does.
        let _ = self.0.known.subscribe().wait_for(|known| *known >= told).await;
    }

    /// The index as it is at the moment.
    pub fn index(&self) -> MutexGuard<'_, I> {
        self.0.index()
    }

    /// What it follows.
    pub fn store(&self) -> &LogStore {
        &self.0.store
    }
}

impl<I> Clone for Followed<I> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<I> fmt::Debug for Followed<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Followed").finish_non_exhaustive()
    }
}

impl<I: Index> Shared<I> {
    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, I> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads everything that there is.
    fn begin(&self) {
        for chunk in self.store.list_all() {
            match chunk {
                Ok(documents) => {
                    let mut index = self.index();
                    for document in &documents {
                        if let Some(id) = ObjectId::of_document(document) {
                            index.set(id, document);
                        }
                    }
                }
                Err(error) => tracing::error!(%error, "some documents will not be found"),
            }
        }
        self.known.send_modify(|known| *known += 1);
    }

    /// Takes over the changes that wait, or waits for some for a while.
    fn follow(&self) {
        let changes = self.changes();
        let waited = self.news.wait_timeout_while(changes, QUIET, |it| it.waiting.is_empty());
        let mut changes = waited.map_or_else(|error| error.into_inner().0, |(changes, _)| changes);
        let count = changes.waiting.len().min(AT_ONCE);
        let ids: Vec<_> = changes.waiting.drain(..count).collect();
        drop(changes);
        if ids.is_empty() {
            return;
        }
        let mut index = self.index();
        for id in &ids {
            match self.store.read(*id) {
                Ok(Some(document)) => index.set(*id, &document.bytes),
                Ok(None) => index.remove(*id),
                Err(error) => tracing::error!(%error, %id, "a changed document cannot be read"),
            }
        }
        drop(index);
        self.known.send_modify(|known| *known += ids.len() as u64);
    }
}
