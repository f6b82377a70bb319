//! This module owns searching events.
//!
//! ```text
//! query    what is asked for
//! fold     comparing texts without regard to case and accents
//! index    which events that may be, in memory
//! ```
//!
//! The index is made by a thread of its own when the service starts, and follows every
//! change. A search waits until it knows all changes that were answered before.

mod fold;
mod index;
mod query;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rest::ObjectId;
use rest::extension::{Extension, Given, NoArgs, NoSelection, Selection};
use rest::fields::FieldError;
use rest::store::{LogStore, Page, StoreError, blocking};

use index::{Index, Key, Stored};
use query::Query;
use tokio::sync::watch;

/// Events that the index takes at a time; a search may come between.
const AT_ONCE: usize = 512;
/// Events whose texts a search looks at before it answers with what it has: few threads
/// wait for the disk, and others need them, too. The link to the next page goes on there.
const LOOKED_AT: usize = 20_000;

/// Finding events.
#[derive(Debug)]
pub struct Search(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<LogStore>,
    index: Mutex<Index>,
    changes: Mutex<Changes>,
    /// There are changes.
    news: Condvar,
    /// How many changes the index knows.
    known: watch::Sender<u64>,
}

/// What the index does not know yet.
#[derive(Debug, Default)]
struct Changes {
    waiting: Vec<ObjectId>,
    /// Changes so far.
    told: u64,
}

impl Extension for Search {
    type Args = NoArgs;

    fn start(_args: &NoArgs, given: Given) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            store: given.store,
            index: Mutex::default(),
            // What was there before counts as one change.
            changes: Mutex::new(Changes { told: 1, ..Changes::default() }),
            news: Condvar::new(),
            known: watch::Sender::new(0),
        });
        let indexing = Arc::downgrade(&shared);
        let thread = thread::Builder::new().name("search-index".into());
        let work = move || {
            if let Some(shared) = indexing.upgrade() {
                shared.begin();
            }
            while let Some(shared) = indexing.upgrade() {
                shared.follow();
            }
        };
        thread.spawn(work).map_err(|error| error.to_string())?;
        Ok(Self(shared))
    }

    fn changed(&self, id: ObjectId) {
        let mut changes = self.0.changes();
        changes.waiting.push(id);
        changes.told += 1;
        drop(changes);
        self.0.news.notify_one();
    }

    async fn select(&self, query: &str, page: Page) -> Result<Option<Selection>, NoSelection> {
        let Some(query) = Query::read(query, page)? else { return Ok(None) };
        let shared = Arc::clone(&self.0);
        shared.catch_up().await;
        let unknown = |error: StoreError| {
            tracing::error!(%error, "a search failed");
            vec![FieldError { field: "q", message: "could not be searched for".into() }]
        };
        blocking(move || Ok(shared.search(&query))).await.map_err(unknown)?.map(Some)
    }
}

impl Shared {
    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads everything that there is.
    fn begin(&self) {
        for chunk in self.store.list_all() {
            match chunk {
                Ok(documents) => {
                    let mut index = self.index();
                    for document in &documents {
                        let id = ObjectId::of_document(document);
                        if let (Some(id), Some(event)) = (id, Stored::read(document)) {
                            index.set(id, &event);
                        }
                    }
                }
                Err(error) => tracing::error!(%error, "some events will not be found"),
            }
        }
        self.known.send_modify(|known| *known += 1);
    }

    /// Takes over the changes that wait, or waits for some for a while.
    fn follow(&self) {
        let changes = self.changes();
        let quiet = std::time::Duration::from_secs(1);
        let waited = self.news.wait_timeout_while(changes, quiet, |it| it.waiting.is_empty());
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
                Ok(Some(document)) => {
                    if let Some(event) = Stored::read(&document.bytes) {
                        index.set(*id, &event);
                    }
                }
                Ok(None) => index.remove(*id),
                Err(error) => tracing::error!(%error, %id, "a changed event cannot be read"),
            }
        }
        drop(index);
        self.known.send_modify(|known| *known += ids.len() as u64);
    }

    /// Waits until all changes so far are known.
    async fn catch_up(&self) {
        let told = self.changes().told;
        // The sender lives as long as this does.
        let _ = self.known.subscribe().wait_for(|known| *known >= told).await;
    }

    fn search(&self, query: &Query) -> Result<Selection, NoSelection> {
        let (candidates, certain) = {
            let index = self.index();
            if let Some((id, None)) = query.after
                && !index.knows(id)
            {
                return Err(NoSelection::NotFound);
            }
            index.candidates(query)
        };
        let mut found: Vec<Key> = Vec::new();
        let mut last = None;
        for (number, key) in candidates.iter().enumerate() {
            let enough = found.len() == query.limit || (!certain && number == LOOKED_AT);
            if enough {
                // There is more, or may be.
                let next = last.map(|key| query.next(key));
                return Ok(selection(&found, next));
            }
            if certain || self.has(key.1, query) {
                found.push(*key);
            }
            last = Some(*key);
        }
        Ok(selection(&found, None))
    }

    fn has(&self, id: ObjectId, query: &Query) -> bool {
        match self.store.read(id) {
            Ok(Some(document)) => Stored::read(&document.bytes).is_some_and(|it| it.has(query)),
            Ok(None) => false,
            Err(error) => {
                tracing::error!(%error, %id, "an event cannot be read");
                false
            }
        }
    }
}

fn selection(found: &[Key], next: Option<String>) -> Selection {
    let ids = found.iter().map(|(_, id)| *id).collect();
    Selection { ids, next, described: false }
}
