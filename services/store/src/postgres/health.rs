//! Whether the database can be used, as far as was seen.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::StoreError;
use crate::mutex::lock;

/// For so long after a failure only the check tries again.
const RECENT: Duration = Duration::from_secs(1);

/// What was seen of a database.
#[derive(Debug)]
pub(super) struct Health {
    /// Its hosts and its name.
    database: String,
    is_failed: AtomicBool,
    /// Why it cannot be used, and since when that is known.
    failure: Mutex<Option<(StoreError, Instant)>>,
    /// Counts servers that turned out to be none to write to: connections from before are closed.
    generation: AtomicU64,
    /// Documents that were found damaged.
    damaged: AtomicU64,
}

impl Health {
    pub(super) fn new(database: String) -> Self {
        Self {
            database,
            is_failed: AtomicBool::new(false),
            failure: Mutex::default(),
            generation: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
        }
    }

    /// The hosts and the name of the database, for messages.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Why it cannot be used, if it cannot.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if !self.is_failed.load(Ordering::Acquire) {
            return Ok(());
        }
        lock(&self.failure).clone().map_or(Ok(()), |(error, _)| Err(error))
    }

    /// Why it could not be used a moment ago: it is not tried again at once by everybody.
    pub(super) fn recent_failure(&self) -> Option<StoreError> {
        if !self.is_failed.load(Ordering::Acquire) {
            return None;
        }
        let failure = lock(&self.failure);
        failure.as_ref().filter(|(_, seen)| seen.elapsed() < RECENT).map(|(error, _)| error.clone())
    }

    /// The error for a database that cannot be used for this reason.
    pub(super) fn unavailable(&self, reason: &str) -> StoreError {
        StoreError::Unavailable { database: self.database.clone(), reason: reason.into() }
    }

    /// The number of servers that turned out to be none to write to.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The server takes no writes any more: all connections to it are to be closed.
    pub(super) fn distrust_server(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// It has answered.
    pub(super) fn note_answer(&self) {
        if self.is_failed.load(Ordering::Acquire) {
            let failed = lock(&self.failure).take();
            self.is_failed.store(false, Ordering::Release);
            if failed.is_some() {
                tracing::info!(database = self.database, "the database can be used again");
            }
        }
    }

    /// Something failed: only if the database cannot be reached, it cannot be used.
    pub(super) fn note_error(&self, error: &StoreError) {
        if !matches!(error, StoreError::Unavailable { .. }) {
            return;
        }
        let former = lock(&self.failure).replace((error.clone(), Instant::now()));
        self.is_failed.store(true, Ordering::Release);
        if former.is_none() {
            tracing::error!(%error, "the database cannot be used");
        }
    }

    /// The document, or an error that is logged with the id.
    pub(super) fn sound<T>(&self, document: Result<T, crate::ObjectId>) -> Result<T, StoreError> {
        document.map_err(|id| {
            self.damaged.fetch_add(1, Ordering::Relaxed);
            let error = StoreError::DamagedDocument { id };
            tracing::error!(%id, database = self.database, "{error}");
            error
        })
    }

    /// Documents that were found damaged.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }
}
