//! Counts values by their size, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many values were at most each of `N` bounds, and their sum.
#[derive(Debug)]
pub(crate) struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    /// Values at most the bound, and greater than the one before.
    counts: [AtomicU64; N],
    greater: AtomicU64,
    sum: AtomicU64,
}

/// What a histogram held when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HistogramReading {
    /// The bounds, each with the number of values that are at most it.
    pub(crate) at_most: Vec<(u64, u64)>,
    pub(crate) count: u64,
    pub(crate) sum: u64,
}

impl<const N: usize> Histogram<N> {
    /// An empty one with ascending bounds.
    pub(crate) const fn new(bounds: &'static [u64; N]) -> Self {
        Self {
            bounds,
            counts: [const { AtomicU64::new(0) }; N],
            greater: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn record(&self, value: u64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        let count = bucket.map_or(&self.greater, |bucket| &self.counts[bucket]);
        count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Records a time in microseconds.
    pub(crate) fn record_time(&self, time: Duration) {
        self.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn read(&self) -> HistogramReading {
        let mut count = 0;
        let at_most = self.bounds.iter().zip(&self.counts).map(|(bound, values)| {
            count += values.load(Ordering::Relaxed);
            (*bound, count)
        });
        let at_most = at_most.collect();
        count += self.greater.load(Ordering::Relaxed);
        HistogramReading { at_most, count, sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_up_to_each_bound() {
        let histogram = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 1000] {
            histogram.record(value);
        }
        let expected =
            HistogramReading { at_most: vec![(1, 2), (10, 4), (100, 5)], count: 6, sum: 1024 };
        assert_eq!(histogram.read(), expected);
    }
}
