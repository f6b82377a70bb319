//! This module owns what the store counts and measures of itself.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::{Exposition, Histogram, HistogramReading, MICROSECONDS};

/// Bounds for the writes that share a commit.
const WRITES: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 512, 4096];

/// Counters that the store's threads write to.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Writes in each commit.
    pub(crate) batch: Histogram<10>,
    /// What making a commit durable took.
    pub(crate) sync: Histogram<15>,
    /// Commits that were not made, for want of space or otherwise.
    pub(crate) failed: AtomicU64,
    /// Rewrites of the file.
    pub(crate) rewrites: AtomicU64,
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            batch: Histogram::new(&WRITES),
            sync: Histogram::new(&MICROSECONDS),
            failed: AtomicU64::new(0),
            rewrites: AtomicU64::new(0),
        }
    }

    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, resources: usize, live_bytes: u64, file_bytes: u64) -> StoreMetrics {
        StoreMetrics {
            resources,
            live_bytes,
            file_bytes,
            batch: self.batch.read(),
            sync: self.sync.read(),
            failed: self.failed.load(Ordering::Relaxed),
            rewrites: self.rewrites.load(Ordering::Relaxed),
        }
    }
}

/// What a store has counted and measured until now.
#[derive(Debug, Clone)]
pub struct StoreMetrics {
    resources: usize,
    live_bytes: u64,
    file_bytes: u64,
    batch: HistogramReading,
    sync: HistogramReading,
    failed: u64,
    rewrites: u64,
}

impl StoreMetrics {
    /// Writes them for Prometheus.
    pub(crate) fn write(&self, out: &mut Exposition) {
        out.single("eventpost_resources", "gauge", "Resources stored.", self.resources);
        let name = "eventpost_store_bytes";
        out.single(name, "gauge", "Size of the log file.", self.file_bytes);
        let name = "eventpost_store_live_bytes";
        out.single(name, "gauge", "Bytes of the log file that are in use.", self.live_bytes);
        let name = "eventpost_store_batch_writes";
        out.family(name, "histogram", "Writes that shared one commit.");
        out.histogram(name, &[], &self.batch, 1);
        let name = "eventpost_store_sync_seconds";
        out.family(name, "histogram", "Time of making a commit durable.");
        out.histogram(name, &[], &self.sync, 1_000_000);
        let name = "eventpost_store_failed_commits_total";
        out.single(name, "counter", "Commits that could not be made.", self.failed);
        let name = "eventpost_store_rewrites_total";
        out.single(name, "counter", "Rewrites of the log without what is dead.", self.rewrites);
    }
}
