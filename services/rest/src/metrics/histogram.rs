//! Encodes histograms.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use store::HistogramReading;

/// The state of a histogram, for a registry.
#[derive(Debug)]
pub(crate) struct Reading<'a>(pub(crate) &'a HistogramReading);

impl EncodeMetric for Reading<'_> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let HistogramReading { buckets, count, sum } = self.0;
        encoder.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
