//! A histogram without a lock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Counts whole numbers in `N` buckets and one for greater values, and sums them up.
#[derive(Debug)]
pub(crate) struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    /// The values that are at most the bucket's bound, and greater than the one before.
    buckets: [AtomicU64; N],
    greater: AtomicU64,
    sum: AtomicU64,
    /// The number of recorded units in one unit of the metric.
    scale: u32,
}

/// The state of a histogram when it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistogramReading {
    /// The upper bound of each bucket, in the metric's unit, and the number of its values.
    pub(crate) buckets: Vec<(f64, u64)>,
    pub(crate) count: u64,
    pub(crate) sum: f64,
}

impl<const N: usize> Histogram<N> {
    /// An empty histogram with ascending bounds. `scale` is the number of recorded units in
    /// one unit of the metric.
    pub(crate) const fn new(bounds: &'static [u64; N], scale: u32) -> Self {
        Self {
            bounds,
            buckets: [const { AtomicU64::new(0) }; N],
            greater: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            scale,
        }
    }

    pub(crate) fn record(&self, value: u64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        let bucket = bucket.map_or(&self.greater, |bucket| &self.buckets[bucket]);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Records a time in microseconds.
    pub(crate) fn record_time(&self, time: Duration) {
        self.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn read(&self) -> HistogramReading {
        let scaled = |value: u64| {
            #[expect(clippy::cast_precision_loss, reason = "2^53 µs are 285 years")]
            let value = value as f64;
            value / f64::from(self.scale)
        };
        let mut buckets = Vec::with_capacity(N);
        for (bound, count) in self.bounds.iter().zip(&self.buckets) {
            buckets.push((scaled(*bound), count.load(Ordering::Relaxed)));
        }
        let greater = self.greater.load(Ordering::Relaxed);
        let count = buckets.iter().map(|(_, count)| count).sum::<u64>() + greater;
        HistogramReading { buckets, count, sum: scaled(self.sum.load(Ordering::Relaxed)) }
    }
}

impl EncodeMetric for HistogramReading {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_histogram::<NoLabelSet>(self.sum, self.count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
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
