//! Metrics for Prometheus, with the registry and the text format of `prometheus-client`.
//! Histograms are those of the store, because its own lock a mutex for each value.

mod histogram;
mod store;

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

pub(crate) use self::store::StoreMetrics;
pub(crate) use histogram::Reading;

/// The media type of the text format.
pub(crate) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// Appends the metrics of a registry to a text, in Prometheus's text format 0.0.4.
pub(crate) fn encode(text: &mut String, registry: &Registry) {
    prometheus_text::encode(text, registry).expect("writing to a string cannot fail");
}

/// Encodes one counter without labels; the format adds `_total` to its name.
pub(crate) fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> fmt::Result {
    metric(encoder, name, help, &ConstCounter::new(value))
}

/// Encodes one gauge without labels.
pub(crate) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> fmt::Result {
    metric(encoder, name, help, &ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)))
}

/// Encodes one metric without labels.
pub(crate) fn metric(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
