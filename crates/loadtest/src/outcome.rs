//! The result of a load test: printed, compared with later results, and sent back from a host.
//! Times are in milliseconds.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::script::Execution;
use super::stats::{Measured, Stats};

/// Where a load comes from that comes from the machine of the user.
pub const LAPTOP: &str = "laptop";
/// Where a load comes from that comes from a service's own host.
pub const HOST: &str = "host";

/// The whole result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// The command that made it.
    pub command: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// Where the load came from.
    pub machines: Vec<Machine>,
    /// Each execution, in the script's order.
    pub executions: Vec<ExecutionOutcome>,
    /// Each pass/fail criterion.
    pub criteria: Vec<Verdict>,
}

/// A machine that a load came from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// `laptop`, or `host` and the service that runs there.
    pub name: String,
    /// Its processor.
    pub processor: String,
    /// Processors that the load could use.
    pub processors: usize,
    /// Its memory in bytes.
    pub memory: u64,
    /// Its kernel.
    pub kernel: String,
}

/// What an execution measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExecutionOutcome {
    /// Where it came from: `laptop` or `host`.
    pub from: String,
    /// Its scenario.
    pub scenario: String,
    /// Where its requests went.
    pub url: String,
    /// Its users.
    pub users: u32,
    /// Requests a second that it was allowed, in a closed loop.
    pub cap: Option<f64>,
    /// Requests a second that were due, in an open loop.
    pub rate: Option<f64>,
    /// When it began, in seconds after the load.
    pub delay: f64,
    /// How long it took to its last answer, in seconds.
    pub seconds: f64,
    /// Requests sent.
    pub requests: u64,
    /// Failed requests.
    pub errors: u64,
    /// Requests sent after they were due, in an open loop.
    pub late: Option<u64>,
    /// Requests that were due and never sent, in an open loop.
    pub dropped: Option<u64>,
    /// Requests a second over all its time.
    pub overall_per_second: f64,
    /// Requests a second once all users had started.
    pub hold_per_second: Option<f64>,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// Each method and label, in the order of their first requests.
    pub labels: Vec<LabelOutcome>,
    /// Each second, or the rest of one at the end.
    pub timeline: Vec<Second>,
    /// Percentiles with their times, ever closer to 100.
    pub curve: Vec<(f64, f64)>,
}

/// What was measured under a label.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabelOutcome {
    /// The requests' method.
    pub method: String,
    /// The label.
    pub label: String,
    /// Requests sent.
    pub requests: u64,
    /// Failed requests.
    pub errors: u64,
    /// Response times: in a closed loop from sending to the end of the answer, in an open
    /// one from when the request was due.
    #[serde(flatten)]
    pub response: Times,
    /// Times from sending to the end of the answer, in an open loop.
    pub service: Option<Times>,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// What went wrong, and how often.
    pub problems: Vec<Problem>,
}

/// How times are spread; zero where nothing was answered.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they say what they are")]
pub struct Times {
    pub average_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub p99_9_ms: f64,
    pub max_ms: f64,
}

/// Something that went wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    /// What.
    pub what: String,
    /// How often.
    pub count: u64,
}

/// What ended within a second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Second {
    /// Its end, in seconds after the load's beginning.
    pub at: f64,
    /// How long it was.
    pub seconds: f64,
    /// The most users at a time.
    pub users: u32,
    /// Requests a second that were allowed or due in its middle.
    pub cap: Option<f64>,
    /// Requests.
    pub requests: u64,
    /// Failed requests.
    pub errors: u64,
    /// Median of the response times.
    pub p50_ms: f64,
    /// Their 90th percentile.
    pub p90_ms: f64,
    /// Their 99th percentile.
    pub p99_ms: f64,
}

/// What came of a pass/fail criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Where the load came from, where that was not the laptop.
    pub from: Option<String>,
    /// The criterion, as the script has it, or its message.
    pub criterion: String,
    /// The scenario that it is about; without, all together.
    pub scenario: Option<String>,
    /// What was compared with the threshold: when it was met, or else at last.
    pub value: Option<String>,
    /// When it was met, in seconds after the load's beginning.
    pub met_at: Option<f64>,
    /// Whether the load has failed by it.
    pub failed: bool,
}

impl Outcome {
    /// Of nothing yet.
    pub fn empty() -> Self {
        Self {
            command: String::new(),
            started: super::now(),
            machines: Vec::new(),
            executions: Vec::new(),
            criteria: Vec::new(),
        }
    }

    /// Whether any of it came from elsewhere than the laptop.
    pub fn comes_from_elsewhere(&self) -> bool {
        self.executions.iter().any(|execution| execution.from != LAPTOP)
    }

    /// Whether no criterion failed.
    pub fn passed(&self) -> bool {
        self.criteria.iter().all(|verdict| !verdict.failed)
    }
}

impl Second {
    /// Requests a second.
    pub(super) fn rate(&self) -> f64 {
        as_f64(self.requests) / self.seconds.max(f64::MIN_POSITIVE)
    }
}

impl Verdict {
    /// What came of it, in a line.
    pub fn in_words(&self) -> String {
        match (self.failed, self.met_at) {
            (true, Some(at)) => format!("failed at {at:.0} s"),
            (_, Some(at)) => format!("met at {at:.0} s"),
            (_, None) => "passed".into(),
        }
    }
}

impl LabelOutcome {
    /// What was measured of requests with one method and label.
    pub(super) fn new(method: &str, label: &str, measured: &Measured) -> Self {
        let problem =
            |(what, count): (&String, &u64)| Problem { what: what.clone(), count: *count };
        Self {
            method: method.into(),
            label: label.into(),
            requests: measured.count,
            errors: measured.failed(),
            response: Times::of(&measured.time),
            service: measured.service.as_ref().map(Times::of),
            bytes: measured.bytes,
            problems: measured.errors.iter().map(problem).collect(),
        }
    }

    /// The label, with the method where it does not begin with it.
    pub fn title(&self) -> String {
        if self.label.starts_with(&self.method) {
            self.label.clone()
        } else {
            format!("{} {}", self.method, self.label)
        }
    }

    /// What went wrong, in a line.
    pub fn problems_in_words(&self) -> String {
        let problems = self.problems.iter().map(|it| format!("{} ({})", it.what, it.count));
        problems.collect::<Vec<_>>().join(", ")
    }

    /// The labels of an execution.
    pub(super) fn all(execution: &Execution, stats: &Stats) -> Vec<Self> {
        let requests = &execution.scenario.requests;
        let mut labels: Vec<(&str, &str)> = Vec::new();
        for request in requests {
            let key = (request.method.as_str(), request.label.as_str());
            if !labels.contains(&key) {
                labels.push(key);
            }
        }
        let label = |(method, label): (&str, &str)| {
            let all = requests.iter().zip(&stats.0);
            let own = all.filter(|(it, _)| it.method.as_str() == method && it.label == label);
            let sum = Measured::sum(own.map(|(_, measured)| measured))?;
            Some(Self::new(method, label, &sum))
        };
        labels.into_iter().filter_map(label).collect()
    }
}

impl Times {
    /// Of a histogram of microseconds.
    pub(super) fn of(times: &Histogram<u64>) -> Self {
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

/// Percentiles of a histogram of microseconds, ten for each further nine, up to where a
/// single request makes the difference.
pub(super) fn curve(times: &Histogram<u64>) -> Vec<(f64, f64)> {
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
pub(super) fn quantile_ms(times: &Histogram<u64>, quantile: f64) -> f64 {
    ms(times.value_at_quantile(quantile))
}

/// How many in a second.
pub(super) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { as_f64(count) / time.as_secs_f64() }
}

/// Microseconds as milliseconds.
fn ms(micros: u64) -> f64 {
    as_f64(micros) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 requests")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_rises_to_the_longest_time() {
        let mut times = Histogram::<u64>::new(3).unwrap();
        (1..=1000).for_each(|n| times.record(n * 1000).unwrap());
        let curve = curve(&times);
        assert_eq!(curve.len(), 31);
        assert!(curve[0].0.abs() < 1e-9);
        assert!((curve[10].0 - 90.0).abs() < 1e-9 && (curve[10].1 - 900.0).abs() < 2.0);
        let (last, most) = curve[30];
        assert!((last - 100.0).abs() < 1e-9 && (most - 1000.0).abs() < 2.0);
        assert!(curve.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}
