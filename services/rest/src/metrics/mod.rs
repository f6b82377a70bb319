//! Counts and measures what the service does, and writes the result in Prometheus's text
//! exposition format 0.0.4.

mod histogram;
mod text;

pub(crate) use histogram::{Histogram, HistogramReading};
pub(crate) use text::Exposition;

/// Bounds of histograms of times, in microseconds, from what a cached read takes to
/// what a client gives up on.
pub(crate) const MICROSECONDS: [u64; 15] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 10_000_000,
];
