//! Counts what the store does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::statistics::{BATCH_WRITES, Histogram, MICROSECONDS};

/// Counters of the writes.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) batch: Histogram<10>,
    pub(super) commit: Histogram<15>,
    pub(super) failed: AtomicU64,
    /// Documents that were read.
    pub(super) reads: AtomicU64,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            batch: Histogram::new(&BATCH_WRITES, 1),
            commit: Histogram::new(&MICROSECONDS, 1_000_000),
            failed: AtomicU64::new(0),
            reads: AtomicU64::new(0),
        }
    }

    /// Counts a commit of so many writes.
    pub(super) fn commit(&self, time: Duration, writes: usize) {
        self.commit.record_time(time);
        self.batch.record(writes as u64);
    }

    /// Counts a commit that failed.
    pub(super) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}
