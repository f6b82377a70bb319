//! What the store counts and measures.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::{Histogram, HistogramReading, MICROSECONDS, counter, gauge, metric};

/// Bucket bounds of the number of writes in a batch.
const WRITES: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 512, 4096];

/// Counters that the store's threads increment.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Writes in each batch.
    pub(crate) batch: Histogram<10>,
    /// The time to make a batch durable.
    pub(crate) sync: Histogram<15>,
    /// Commits that failed, for lack of space or otherwise.
    pub(crate) failed: AtomicU64,
    /// Rewrites of the file.
    pub(crate) rewrites: AtomicU64,
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            batch: Histogram::new(&WRITES, 1),
            sync: Histogram::new(&MICROSECONDS, 1_000_000),
            failed: AtomicU64::new(0),
            rewrites: AtomicU64::new(0),
        }
    }

    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, resources: usize, live_bytes: u64, file_bytes: u64) -> StoreMetrics {
        StoreMetrics {
            resources: resources as u64,
            live_bytes,
            file_bytes,
            batch: self.batch.read(),
            sync: self.sync.read(),
            failed: self.failed.load(Ordering::Relaxed),
            rewrites: self.rewrites.load(Ordering::Relaxed),
        }
    }
}

/// What a store has counted and measured so far.
#[derive(Debug, Clone)]
pub struct StoreMetrics {
    resources: u64,
    live_bytes: u64,
    file_bytes: u64,
    batch: HistogramReading,
    sync: HistogramReading,
    failed: u64,
    rewrites: u64,
}

impl Collector for StoreMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut encoder;
        gauge(out, "eventpost_resources", "Resources stored.", self.resources)?;
        gauge(out, "eventpost_store_bytes", "Size of the log file.", self.file_bytes)?;
        let help = "Bytes of the log file that are in use.";
        gauge(out, "eventpost_store_live_bytes", help, self.live_bytes)?;
        metric(out, "eventpost_store_batch_writes", "Writes in one commit.", &self.batch)?;
        let help = "Time to make a commit durable.";
        metric(out, "eventpost_store_sync_seconds", help, &self.sync)?;
        counter(out, "eventpost_store_failed_commits", "Commits that failed.", self.failed)?;
        let help = "Rewrites of the log file without deleted data.";
        counter(out, "eventpost_store_rewrites", help, self.rewrites)
    }
}
