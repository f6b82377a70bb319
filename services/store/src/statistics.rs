//! What a store has counted and measured.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::StateName;

/// Bucket bounds of times, in microseconds, from what a cached read takes to what a client
/// gives up on.
pub const MICROSECONDS: [u64; 15] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 10_000_000,
];

/// Bucket bounds of the number of writes in a commit.
pub(crate) const BATCH_WRITES: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// What a store has counted and measured so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Documents stored.
    pub documents: u64,
    /// Bytes of all documents.
    pub bytes: u64,
    /// Bytes of the store's file, without its log.
    pub file_bytes: u64,
    /// Bytes of the log of recent commits.
    pub log_bytes: u64,
    /// Deliveries in each state.
    pub deliveries: [(StateName, u64); 5],
    /// Writes in each commit.
    pub batch_writes: HistogramReading,
    /// The time to make a commit durable, in seconds.
    pub commit_seconds: HistogramReading,
    /// Commits that failed, for lack of space or otherwise.
    pub failed_commits: u64,
    /// Times that recent commits were moved from the log to the file.
    pub checkpoints: u64,
    /// Reads that the cache has answered.
    pub cache_hits: u64,
    /// Reads that went to the file.
    pub cache_misses: u64,
    /// Lists being read.
    pub open_lists: u64,
    /// Documents that were found damaged.
    pub damaged_documents: u64,
}

/// The state of a histogram when it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistogramReading {
    /// The upper bound of each bucket and the number of its values, those of lower buckets not
    /// included.
    pub buckets: Vec<(f64, u64)>,
    /// The number of all values, also those above the last bound.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

/// Counts whole numbers in `N` buckets and one for greater values, without a lock.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    buckets: [AtomicU64; N],
    greater: AtomicU64,
    sum: AtomicU64,
    /// The number of recorded units in one unit of the reading.
    scale: u32,
}

impl<const N: usize> Histogram<N> {
    /// An empty histogram with ascending bounds. `scale` is the number of recorded units in one
    /// unit of the reading.
    pub const fn new(bounds: &'static [u64; N], scale: u32) -> Self {
        Self {
            bounds,
            buckets: [const { AtomicU64::new(0) }; N],
            greater: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            scale,
        }
    }

    /// Counts a value.
    pub fn record(&self, value: u64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        let bucket = bucket.map_or(&self.greater, |bucket| &self.buckets[bucket]);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Records a time in microseconds.
    pub fn record_time(&self, time: Duration) {
        self.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Its present state.
    pub fn read(&self) -> HistogramReading {
        let scaled = |value: u64| {
            #[expect(clippy::cast_precision_loss, reason = "2^53 µs are 285 years")]
            let value = value as f64;
            value / f64::from(self.scale)
        };
        let bounds = self.bounds.iter().map(|bound| scaled(*bound));
        let counts = self.buckets.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let greater = self.greater.load(Ordering::Relaxed);
        let count = buckets.iter().map(|(_, count)| count).sum::<u64>() + greater;
        HistogramReading { buckets, count, sum: scaled(self.sum.load(Ordering::Relaxed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_in_the_first_bucket_that_holds_them() {
        let histogram = Histogram::new(&[1, 10, 100], 10);
        for value in [0, 1, 2, 10, 11, 1000] {
            histogram.record(value);
        }
        let buckets = vec![(0.1, 2), (1.0, 2), (10.0, 1)];
        assert_eq!(histogram.read(), HistogramReading { buckets, count: 6, sum: 102.4 });
    }
}
