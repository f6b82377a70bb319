//! The results of a load test: printed, compared with later results, and sent back by hosts.
//! Times are in milliseconds unless a name says otherwise.

mod summary;

use serde::{Deserialize, Serialize};

pub(super) use summary::{as_f64, per_second, percentile_curve, quantile_ms};

/// Requests that were sent from the user's machine.
pub const LAPTOP: &str = "laptop";
/// Requests that were sent from a service's own host.
pub const HOST: &str = "host";

/// The results of a load test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// The command line.
    pub command: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// The machines that requests were sent from.
    pub machines: Vec<Machine>,
    /// Each execution, in the script's order.
    pub executions: Vec<ExecutionResult>,
    /// Each pass/fail criterion.
    pub criteria: Vec<CriterionResult>,
}

/// A machine that requests were sent from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// `laptop`, or the service and `host`.
    pub name: String,
    /// Its processor's model.
    pub processor: String,
    /// How many processors the load generator could use.
    pub processors: usize,
    /// Its memory in bytes.
    pub memory: u64,
    /// Its kernel's release.
    pub kernel: String,
}

/// The result of an execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExecutionResult {
    /// Where requests were sent from: `laptop` or `host`.
    pub from: String,
    /// Its scenario.
    pub scenario: String,
    /// Where requests were sent to.
    pub url: String,
    /// How many virtual users it has.
    pub users: u32,
    /// In a closed loop, how many requests a second were allowed.
    pub cap: Option<f64>,
    /// In an open loop, how many requests a second were due.
    pub rate: Option<f64>,
    /// When it began, in seconds after the load test.
    pub delay: f64,
    /// How long it took until its last response, in seconds.
    pub seconds: f64,
    /// How many requests were sent.
    pub requests: u64,
    /// How many requests failed.
    pub errors: u64,
    /// In an open loop, how many requests were sent after they were due.
    pub late: Option<u64>,
    /// In an open loop, how many requests were due and never sent.
    pub dropped: Option<u64>,
    /// Requests a second over all its time.
    pub overall_per_second: f64,
    /// Requests a second while all users were running.
    pub hold_per_second: Option<f64>,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// Each method and label, in the order of their first requests.
    pub labels: Vec<LabelResult>,
    /// Each second; the last one may be shorter.
    pub timeline: Vec<Second>,
    /// Percentiles with their times, closer together towards 100.
    pub curve: Vec<(f64, f64)>,
}

/// The result of all requests with one method and label.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabelResult {
    /// Their method.
    pub method: String,
    /// Their label.
    pub label: String,
    /// How many were sent.
    pub requests: u64,
    /// How many failed.
    pub errors: u64,
    /// Response times: in a closed loop from sending to the end of the response, in an open
    /// loop from when the request was due.
    #[serde(flatten)]
    pub response: Times,
    /// In an open loop, times from sending to the end of the response.
    pub service: Option<Times>,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// Why requests failed.
    pub problems: Vec<Problem>,
}

/// A distribution of times; zero if there was no response.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Times {
    pub average_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub p99_9_ms: f64,
    pub max_ms: f64,
}

/// A reason why requests failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    /// The reason.
    pub what: String,
    /// How many requests failed for it.
    pub count: u64,
}

/// The requests that ended within a second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Second {
    /// When it ended, in seconds after the load test began.
    pub at: f64,
    /// How long it was.
    pub seconds: f64,
    /// The most virtual users at a time.
    pub users: u32,
    /// Requests a second that were allowed or due in its middle.
    pub cap: Option<f64>,
    /// How many requests ended.
    pub requests: u64,
    /// How many of them failed.
    pub errors: u64,
    /// The median of the response times.
    pub p50_ms: f64,
    /// Their 90th percentile.
    pub p90_ms: f64,
    /// Their 99th percentile.
    pub p99_ms: f64,
}

/// The result of a pass/fail criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CriterionResult {
    /// The host that requests were sent from, if it was not the laptop.
    pub from: Option<String>,
    /// The criterion's message, or its text in the script.
    pub criterion: String,
    /// The scenario that it is about; all of them without.
    pub scenario: Option<String>,
    /// The value that was compared with the threshold: when it was met, or the last one.
    pub value: Option<String>,
    /// When it was met, in seconds after the load test began.
    pub met_at: Option<f64>,
    /// Whether the load test has failed because of it.
    pub failed: bool,
}

impl Results {
    /// Results of a load test that begins now.
    pub fn empty() -> Self {
        Self {
            command: String::new(),
            started: super::now(),
            machines: Vec::new(),
            executions: Vec::new(),
            criteria: Vec::new(),
        }
    }

    /// Whether any requests were sent from hosts.
    pub fn has_hosts(&self) -> bool {
        self.executions.iter().any(|execution| execution.from != LAPTOP)
    }

    /// Whether no criterion failed.
    pub fn passed(&self) -> bool {
        self.criteria.iter().all(|criterion| !criterion.failed)
    }
}

impl ExecutionResult {
    /// The throughput to compare: requests a second while all users were running, or over all
    /// the time.
    pub fn throughput(&self) -> f64 {
        self.hold_per_second.unwrap_or(self.overall_per_second)
    }
}

impl LabelResult {
    /// The method and label; the label alone if it begins with the method.
    pub fn title(&self) -> String {
        if self.label.starts_with(&self.method) {
            self.label.clone()
        } else {
            format!("{} {}", self.method, self.label)
        }
    }

    /// Why requests failed, in one line: `status 404 (10), timed out (1)`.
    pub fn problem_list(&self) -> String {
        let problems = self.problems.iter().map(|it| format!("{} ({})", it.what, it.count));
        problems.collect::<Vec<_>>().join(", ")
    }
}

impl Second {
    /// Requests a second.
    pub(super) fn rate(&self) -> f64 {
        as_f64(self.requests) / self.seconds.max(f64::MIN_POSITIVE)
    }
}

impl CriterionResult {
    /// `passed`, or when it was met.
    pub fn summary(&self) -> String {
        match (self.failed, self.met_at) {
            (true, Some(at)) => format!("failed at {at:.0} s"),
            (_, Some(at)) => format!("met at {at:.0} s"),
            (_, None) => "passed".into(),
        }
    }
}
