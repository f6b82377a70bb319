//! Whether the database can be used, as far as was seen.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::StoreError;
use crate::mutex::lock;

/// What was seen of a database.
#[derive(Debug)]
pub(super) struct Health {
    /// Its hosts and its name.
    database: String,
    is_failed: AtomicBool,
    failure: Mutex<Option<StoreError>>,
    /// Documents that were found damaged.
    damaged: AtomicU64,
}

impl Health {
    pub(super) fn new(database: String) -> Self {
        Self {
            database,
            is_failed: AtomicBool::new(false),
            failure: Mutex::default(),
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
        lock(&self.failure).clone().map_or(Ok(()), Err)
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
        let former = lock(&self.failure).replace(error.clone());
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
