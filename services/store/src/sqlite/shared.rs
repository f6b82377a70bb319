//! What the threads and the readers of a store share.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::cache::Cache;
use super::failure::{is_of_a_value, translate};
use super::log::Log;
use super::pool::Pool;
use super::snapshots::Snapshots;
use super::totals::Totals;
use crate::mutex::lock;
use crate::statistics::{BATCH_WRITES, Histogram, MICROSECONDS};
use crate::{Revision, StoreError};

/// A read that takes longer is one that waits for the disk.
const SLOW: Duration = Duration::from_millis(2);
/// After so many slow reads in a second, none is made on a thread that must not wait until a
/// second has passed. One alone may have been interrupted by other work.
const SLOW_READS: u64 = 3;

/// What the threads and the readers of a store share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The database's file.
    pub(super) path: PathBuf,
    pub(super) collection: &'static str,
    /// Of this start.
    pub(super) epoch: u64,
    pub(super) pool: Pool,
    pub(super) cache: Cache,
    pub(super) snapshots: Snapshots,
    pub(super) log: Log,
    pub(super) counters: Counters,
    commits: AtomicU64,
    totals: Mutex<Totals>,
    /// Why no writes are accepted.
    failure: Mutex<Option<StoreError>>,
    opened: Instant,
    /// The last second after `opened` in which reads were slow, and how many: 8 bits.
    slow: AtomicU64,
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
        pool: Pool,
        totals: Totals,
    ) -> Result<Self, StoreError> {
        let epoch = getrandom::u64().map_err(|error| StoreError::Io {
            path: path.clone(),
            message: format!("the system has no source of randomness: {error}"),
        })?;
        Ok(Self {
            snapshots: Snapshots::new(&path),
            log: Log::new(&path),
            path,
            collection,
            epoch,
            pool,
            cache: Cache::new(),
            counters: Counters {
                batch: Histogram::new(&BATCH_WRITES, 1),
                commit: Histogram::new(&MICROSECONDS, 1_000_000),
                failed: AtomicU64::new(0),
                damaged: AtomicU64::new(0),
            },
            commits: AtomicU64::new(totals.commits),
            totals: Mutex::new(totals),
            failure: Mutex::new(None),
            opened: Instant::now(),
            slow: AtomicU64::new(0),
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

    /// Whether reads have not waited for the disk recently.
    pub(super) fn reads_are_fast(&self) -> bool {
        let slow = self.slow.load(Ordering::Relaxed);
        let count = slow & 0xff;
        count < SLOW_READS || self.opened.elapsed().as_secs() > (slow >> 8) + 1
    }

    /// Notes how long a read took that nobody should have waited for.
    pub(super) fn note_read(&self, time: Duration) {
        if time > SLOW {
            let (now, slow) = (self.opened.elapsed().as_secs(), self.slow.load(Ordering::Relaxed));
            let count = if slow >> 8 == now { (slow & 0xff).min(SLOW_READS) } else { 0 };
            self.slow.store(now << 8 | (count + 1), Ordering::Relaxed);
        }
    }
}
