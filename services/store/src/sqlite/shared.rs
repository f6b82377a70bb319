//! What the threads and the readers of a store share.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use rusqlite::Connection;

use super::cache::Cache;
use super::connect::LOCK_TIMEOUT;
use super::failure::{is_of_a_value, translate};
use super::log::{Log, Progress};
use super::pool::Pool;
use super::snapshots::Snapshots;
use super::stalls::Stalls;
use super::totals::Totals;
use crate::mutex::lock;
use crate::statistics::{BATCH_WRITES, Histogram, MICROSECONDS};
use crate::{Revision, StoreError};

/// Reads that may wait at once. More would wait for the same disk and take memory for their pages.
const READS: usize = 8;

/// How long a commit waits for single reads, which take some microseconds.
const MOMENT: Duration = Duration::from_millis(20);

/// What the threads and the readers of a store share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The database's file.
    pub(super) path: PathBuf,
    pub(super) collection: &'static str,
    /// Of this start.
    pub(super) epoch: u64,
    /// For reads that may wait.
    pub(super) pool: Pool,
    /// For those on threads that must not: one for each processor.
    pub(super) pool_at_once: Pool,
    pub(super) cache: Cache,
    pub(super) snapshots: Snapshots,
    pub(super) log: Log,
    pub(super) counters: Counters,
    pub(super) stalls: Stalls,
    commits: AtomicU64,
    /// Commits that reads find, shown or not.
    visible: AtomicU64,
    totals: Mutex<Totals>,
    /// Why no writes are accepted.
    failure: Mutex<Option<StoreError>>,
}

/// Counters that the store's threads increment.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) batch: Histogram<10>,
    pub(super) commit: Histogram<15>,
    pub(super) failed: AtomicU64,
    pub(super) damaged: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        path: PathBuf,
        collection: &'static str,
        totals: Totals,
    ) -> Result<Self, StoreError> {
        let epoch = getrandom::u64().map_err(|error| StoreError::Io {
            path: path.clone(),
            message: format!("the system has no source of randomness: {error}"),
        })?;
        Ok(Self {
            pool: Pool::new(&path, READS)?,
            pool_at_once: Pool::new(&path, available_parallelism().map_or(1, Into::into))?,
            snapshots: Snapshots::new(&path),
            log: Log::new(&path),
            path,
            collection,
            epoch,
            cache: Cache::new(),
            counters: Counters {
                batch: Histogram::new(&BATCH_WRITES, 1),
                commit: Histogram::new(&MICROSECONDS, 1_000_000),
                failed: AtomicU64::new(0),
                damaged: AtomicU64::new(0),
            },
            commits: AtomicU64::new(totals.commits),
            visible: AtomicU64::new(totals.commits),
            totals: Mutex::new(totals),
            failure: Mutex::new(None),
            stalls: Stalls::new(),
        })
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision_of(self.commits.load(Ordering::Acquire))
    }

    /// The revision of the state that has so many commits.
    pub(super) const fn revision_of(&self, commits: u64) -> Revision {
        Revision::new(self.epoch, commits)
    }

    /// The numbers after the last commit.
    pub(super) fn totals(&self) -> Totals {
        *lock(&self.totals)
    }

    /// Commits that reads find. There may be more of them by now.
    pub(super) fn visible_commits(&self) -> u64 {
        self.visible.load(Ordering::Acquire)
    }

    /// Has reads find what a commit has made. After this, what it has changed is taken out of the
    /// cache, where no read then puts the former state.
    pub(super) fn make_visible(&self, totals: &Totals) {
        self.visible.store(totals.commits, Ordering::Release);
    }

    /// As [`Log::checkpoint`].
    pub(super) fn checkpoint(&self, connection: &Connection) -> rusqlite::Result<Progress> {
        self.pool_at_once.release_states();
        let progress = self.log.checkpoint(connection);
        // States that were read meanwhile lie in the log, which could not start from its beginning.
        // Those that are read from now on lie in the file, if all of the log was moved.
        self.pool_at_once.release_states();
        progress
    }

    /// Moves the log to the file. Returns whether the next commit starts it from its beginning,
    /// which readers may prevent. Only the thread that commits can call this: commits of another
    /// would come in between.
    pub(super) fn finish_checkpoint(&self, connection: &Connection) -> rusqlite::Result<bool> {
        if !self.checkpoint(connection)?.is_complete() {
            return Ok(false);
        }
        // Single reads in progress end within moments. Lists may take long.
        connection.busy_timeout(MOMENT)?;
        let restarted = self.log.restart(connection);
        connection.busy_timeout(LOCK_TIMEOUT)?;
        restarted
    }

    /// As [`Log::restart`].
    pub(super) fn restart_log(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.checkpoint(connection)?;
        self.log.restart(connection).map(drop)
    }

    /// Shows what a commit has made.
    pub(super) fn publish(&self, totals: Totals) {
        *lock(&self.totals) = totals;
        self.commits.store(totals.commits, Ordering::Release);
    }

    /// Why no writes are accepted, if none are.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        lock(&self.failure).clone().map_or(Ok(()), Err)
    }

    /// Accepts no more writes for this reason, unless there is one already.
    pub(super) fn stop_writes(&self, reason: &StoreError) {
        let mut failure = lock(&self.failure);
        if failure.is_none() {
            tracing::error!(error = %reason, "no more writes are accepted");
            *failure = Some(reason.clone());
        }
    }

    /// What an error of SQLite means. Damage is remembered, unless it is of one value only, which
    /// keeps nothing else from being read and written.
    pub(super) fn translate(&self, error: &rusqlite::Error) -> StoreError {
        let meaning = translate(&self.path, error);
        if is_of_a_value(error) {
            self.counters.damaged.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = %meaning, "a damaged value was read");
        } else if matches!(meaning, StoreError::Damaged { .. }) {
            self.stop_writes(&meaning);
        }
        meaning
    }

    /// The error for a structure that is not as it was written, which is remembered.
    pub(super) fn damaged(&self, what: &str) -> StoreError {
        let error = StoreError::Damaged { path: self.path.clone(), what: what.to_owned() };
        self.stop_writes(&error);
        error
    }
}
