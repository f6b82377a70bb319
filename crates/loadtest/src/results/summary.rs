//! Summarizes samples: percentiles, rates and errors of each label.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{LabelResult, Problem, Times};
use crate::script::Scenario;
use crate::stats::{RequestStats, ScenarioStats};

impl LabelResult {
    /// The labels of a scenario.
    pub(crate) fn all(scenario: &Scenario, stats: &ScenarioStats) -> Vec<Self> {
        let mut keys: Vec<(&str, &str)> = Vec::new();
        for request in &scenario.requests {
            let key = (request.method.as_str(), request.label.as_str());
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let label = |(method, label): (&str, &str)| {
            let own = stats
                .of(scenario)
                .filter(|(request, _)| request.method.as_str() == method && request.label == label);
            let sum = RequestStats::sum(own.map(|(_, stats)| stats))?;
            Some(Self::new(method, label, &sum))
        };
        keys.into_iter().filter_map(label).collect()
    }

    fn new(method: &str, label: &str, stats: &RequestStats) -> Self {
        let problem =
            |(what, count): (&String, &u64)| Problem { what: what.clone(), count: *count };
        Self {
            method: method.into(),
            label: label.into(),
            requests: stats.count,
            errors: stats.failed(),
            response: Times::of(&stats.time),
            service: stats.service.as_ref().map(Times::of),
            bytes: stats.bytes,
            problems: stats.errors.iter().map(problem).collect(),
        }
    }
}

impl Times {
    /// The distribution of a histogram of microseconds.
    fn of(times: &Histogram<u64>) -> Self {
        let at = |quantile: f64| quantile_ms(times, quantile);
        Self {
            average_ms: times.mean() / 1000.0,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            p99_9_ms: at(0.999),
            max_ms: ms(times.max()),
        }
    }
}

/// Percentiles of a histogram of microseconds: ten from each nine to the next, up to the
/// percentile that a single request decides.
pub(crate) fn percentile_curve(times: &Histogram<u64>) -> Vec<(f64, f64)> {
    if times.is_empty() {
        return Vec::new();
    }
    let step = |n: i32| 1.0 - 10_f64.powf(-f64::from(n) / 10.0);
    let rest = 1.0 / as_f64(times.len());
    let quantiles = (0..).map(step).take_while(|quantile| 1.0 - quantile > rest * 1.001);
    let points = quantiles.map(|quantile| (quantile * 100.0, quantile_ms(times, quantile)));
    points.chain([(100.0, ms(times.max()))]).collect()
}

/// A quantile in milliseconds of a histogram of microseconds.
pub(crate) fn quantile_ms(times: &Histogram<u64>, quantile: f64) -> f64 {
    ms(times.value_at_quantile(quantile))
}

/// How many a second.
pub(crate) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { as_f64(count) / time.as_secs_f64() }
}

/// Microseconds as milliseconds.
fn ms(micros: u64) -> f64 {
    as_f64(micros) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_rises_to_the_longest_time() {
        let mut times = Histogram::<u64>::new(3).unwrap();
        (1..=1000).for_each(|n| times.record(n * 1000).unwrap());
        let curve = percentile_curve(&times);
        assert_eq!(curve.len(), 31);
        assert!(curve[0].0.abs() < 1e-9);
        assert!((curve[10].0 - 90.0).abs() < 1e-9 && (curve[10].1 - 900.0).abs() < 2.0);
        let (last, max) = curve[30];
        assert!((last - 100.0).abs() < 1e-9 && (max - 1000.0).abs() < 2.0);
        assert!(curve.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}
