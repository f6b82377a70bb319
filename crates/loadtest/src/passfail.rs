//! Decides whether a load test has failed: checks its criteria against the samples of each
//! second and of the whole run. It decides as Taurus does, so that a script fails in both.

use std::collections::VecDeque;

use super::results::{CriterionResult, as_f64, quantile_ms};
use super::script::{Condition, Criterion, Execution, Logic, Metric, Script, Selection, Window};
use super::stats::{RequestStats, ScenarioStats};

/// What an execution measured in one second, or in the whole run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval<'a> {
    /// The execution's number in the script.
    pub(super) number: usize,
    pub(super) execution: &'a Execution,
    pub(super) users: u32,
    pub(super) stats: &'a ScenarioStats,
}

/// The criteria of a script, and how far each is met.
#[derive(Debug)]
pub(super) struct PassFail<'a> {
    script: &'a Script,
    checks: Vec<Check<'a>>,
}

/// A criterion, and how far it is met.
#[derive(Debug)]
struct Check<'a> {
    criterion: &'a Criterion,
    /// Values of the last seconds, as many as the window has.
    values: VecDeque<f64>,
    /// How many seconds in a row have met the condition.
    in_a_row: u64,
    value: Option<f64>,
    met_at: Option<f64>,
}

impl<'a> PassFail<'a> {
    pub(super) fn new(script: &'a Script) -> Self {
        Self { script, checks: script.criteria.iter().map(Check::new).collect() }
    }

    /// Checks a second that ended `at` seconds after the load test began. Returns whether the
    /// load test must stop.
    pub(super) fn check_second(&mut self, at: f64, intervals: &[Interval<'_>]) -> bool {
        let mut stops = false;
        for check in &mut self.checks {
            let Some(window) = check.criterion.window else { continue };
            let Some(value) = check.criterion.value(intervals) else { continue };
            check.add_second(window, value, at);
            stops |= check.criterion.stops && check.met_at.is_some();
        }
        stops
    }

    /// Checks the whole run, which took until `at`.
    pub(super) fn finish(self, at: f64, intervals: &[Interval<'_>]) -> Vec<CriterionResult> {
        let result = |mut check: Check<'_>| {
            let criterion = check.criterion;
            if criterion.window.is_none() {
                check.value = criterion.value(intervals);
                let is_met = check.value.is_some_and(|value| criterion.is_met(value));
                check.met_at = is_met.then_some(at);
            }
            check.into_result(self.script)
        };
        self.checks.into_iter().map(result).collect()
    }
}

impl<'a> Check<'a> {
    fn new(criterion: &'a Criterion) -> Self {
        Self { criterion, values: VecDeque::new(), in_a_row: 0, value: None, met_at: None }
    }

    /// Adds the value of a second that ended `at`.
    fn add_second(&mut self, window: Window, value: f64, at: f64) {
        if self.met_at.is_some() {
            return;
        }
        let seconds = window.time.as_secs().max(1);
        self.values.push_back(value);
        if self.values.len() as u64 > seconds {
            self.values.pop_front();
        }
        let value = match window.logic {
            Logic::For => value,
            Logic::Over | Logic::Within => {
                let sum: f64 = self.values.iter().sum();
                if self.criterion.adds_up() { sum } else { sum / as_f64(self.values.len() as u64) }
            }
        };
        let is_met = self.criterion.is_met(value);
        self.in_a_row = if is_met { self.in_a_row + 1 } else { 0 };
        let is_full = self.values.len() as u64 >= seconds;
        self.value = Some(value);
        let fires = match window.logic {
            Logic::For => self.in_a_row >= seconds,
            Logic::Over => is_met && is_full,
            Logic::Within => is_met,
        };
        self.met_at = fires.then_some(at);
    }

    fn into_result(self, script: &Script) -> CriterionResult {
        let criterion = self.criterion;
        let execution = criterion.execution.and_then(|number| script.executions.get(number));
        CriterionResult {
            from: None,
            criterion: criterion.message.clone().unwrap_or_else(|| criterion.text.clone()),
            scenario: execution.map(|execution| execution.scenario.name.clone()),
            value: self.value.map(|value| criterion.format(value)),
            met_at: self.met_at,
            failed: criterion.fails && self.met_at.is_some(),
        }
    }
}

impl Criterion {
    fn is_met(&self, value: f64) -> bool {
        match self.condition {
            Condition::Less => value < self.threshold,
            Condition::AtMost => value <= self.threshold,
            #[expect(clippy::float_cmp, reason = "counts are whole")]
            Condition::Equal => value == self.threshold,
            Condition::AtLeast => value >= self.threshold,
            Condition::More => value > self.threshold,
        }
    }

    /// Whether the value of several seconds is their sum, not their mean.
    fn adds_up(&self) -> bool {
        matches!(self.subject, Metric::Requests | Metric::Count { percent: false, .. })
    }

    fn format(&self, value: f64) -> String {
        match self.subject {
            Metric::Average | Metric::Deviation | Metric::Percentile(_) => {
                format!("{value:.2} ms")
            }
            Metric::Count { percent: true, .. } => format!("{value:.2}%"),
            _ => format!("{value:.0}"),
        }
    }

    /// The value of the criterion's subject; `None` if nothing was measured.
    fn value(&self, intervals: &[Interval<'_>]) -> Option<f64> {
        let is_own = |interval: &&Interval<'_>| self.execution.is_none_or(|n| n == interval.number);
        let own = intervals.iter().filter(is_own);
        if self.subject == Metric::Users {
            return Some(own.map(|interval| f64::from(interval.users)).sum());
        }
        let requests = own.flat_map(|interval| interval.stats.of(&interval.execution.scenario));
        let has_label = |label: &str| self.label.as_ref().is_none_or(|own| own == label);
        let labelled = requests.filter(|(request, _)| has_label(&request.label));
        let sum = RequestStats::sum(labelled.map(|(_, stats)| stats));
        sum.filter(|sum| sum.count > 0).map(|sum| self.subject.of(&sum))
    }
}

impl Metric {
    fn of(&self, stats: &RequestStats) -> f64 {
        match self {
            Self::Average => stats.time.mean() / 1000.0,
            Self::Deviation => stats.time.stdev() / 1000.0,
            Self::Percentile(level) => quantile_ms(&stats.time, level / 100.0),
            // No request has users.
            Self::Users => 0.0,
            Self::Requests => as_f64(stats.count),
            Self::Bytes => as_f64(stats.bytes),
            Self::Count { of, percent } => {
                let count = as_f64(of.count(stats));
                if *percent { 100.0 * count / as_f64(stats.count) } else { count }
            }
        }
    }
}

impl Selection {
    fn count(&self, stats: &RequestStats) -> u64 {
        match self {
            Self::Succeeded => stats.count - stats.failed(),
            Self::Failed => stats.failed(),
            Self::Status(pattern) => {
                let all = stats.statuses.iter();
                let own = all.filter(|(status, _)| matches_status(pattern, &status.to_string()));
                own.map(|(_, count)| count).sum()
            }
        }
    }
}

/// Whether a status matches a pattern, where `?` is any digit and `*` any digits.
fn matches_status(pattern: &str, status: &str) -> bool {
    match pattern.split_at_checked(1) {
        None => status.is_empty(),
        Some(("*", rest)) => (0..=status.len()).any(|from| matches_status(rest, &status[from..])),
        Some((first, rest)) => status.split_at_checked(1).is_some_and(|(digit, others)| {
            (first == "?" || first == digit) && matches_status(rest, others)
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::stats::{ResponseInfo, Sample};
    use super::*;
    use crate::script;

    const SCRIPT: &str = "
execution:
- {scenario: one, hold-for: 1s}
scenarios:
  one:
    default-address: http://127.0.0.1:1
    requests: [/a, /b]
reporting:
- module: passfail
  criteria: [CRITERION]
";

    /// When and how a criterion was met.
    #[derive(Debug, PartialEq)]
    struct Checked {
        met_at: Option<f64>,
        failed: bool,
        stopped: bool,
    }

    const NOT_MET: Checked = Checked { met_at: None, failed: false, stopped: false };

    /// Requests to /a with their times in ms; every fifth has failed.
    fn second(script: &Script, times: &[u64]) -> ScenarioStats {
        let mut stats = ScenarioStats::new(&script.executions[0]);
        for (n, millis) in times.iter().enumerate() {
            let time = Duration::from_millis(*millis);
            let (code, error) =
                if n % 5 == 4 { (503, Some("status 503".into())) } else { (200, None) };
            let answer = Some(ResponseInfo { status: code, bytes: 100 });
            stats.record(0, Sample { service: time, response: time, answer, error });
        }
        stats
    }

    /// Checks a criterion against seconds with the times of their requests.
    fn check(criterion: &str, seconds: &[&[u64]]) -> Checked {
        let text = SCRIPT.replace("CRITERION", &format!("'{criterion}'"));
        let script = script::read_text(&text).unwrap();
        let execution = &*script.executions[0];
        let (mut criteria, mut stopped) = (PassFail::new(&script), false);
        let mut all = ScenarioStats::new(execution);
        for (n, times) in seconds.iter().enumerate() {
            let stats = second(&script, times);
            let interval = Interval { number: 0, execution, users: 3, stats: &stats };
            stopped |= criteria.check_second(as_f64(n as u64 + 1), &[interval]);
            all.add(&stats);
        }
        let whole = [Interval { number: 0, execution, users: 0, stats: &all }];
        let result = criteria.finish(as_f64(seconds.len() as u64), &whole).remove(0);
        Checked { met_at: result.met_at, failed: result.failed, stopped }
    }

    #[test]
    fn criteria_without_a_window_are_checked_at_the_end() {
        let seconds: [&[u64]; 2] = [&[10, 10, 10, 10, 60], &[10]];
        let failed = || Checked { met_at: Some(2.0), failed: true, stopped: false };
        assert_eq!(check("avg-rt>18ms", &seconds), failed());
        assert_eq!(check("avg-rt>19ms", &seconds), NOT_MET);
        let met = Checked { failed: false, ..failed() };
        assert_eq!(check("p50>10ms, continue as non-failed", &seconds), met);
        assert_eq!(check("fail>=1", &seconds), failed());
        assert_eq!(check("fail>17%", &seconds), NOT_MET);
        assert_eq!(check("rc5??=1", &seconds), failed());
        assert_eq!(check("rc*<6", &seconds), NOT_MET);
        assert_eq!(check("bytes>599", &seconds), failed());
        assert_eq!(check("hits of /b>0", &seconds), NOT_MET, "nothing was sent");
    }

    #[test]
    fn criteria_with_a_window_are_checked_every_second() {
        let slow: &[u64] = &[50, 50];
        let fast: &[u64] = &[1, 1];
        let seconds = [slow, fast, slow, slow, fast];
        let stopped = |at| Checked { met_at: Some(at), failed: true, stopped: true };
        assert_eq!(check("avg-rt>40ms for 2s", &seconds), stopped(4.0));
        assert_eq!(check("avg-rt>40ms for 3s", &seconds), NOT_MET);
        assert_eq!(check("avg-rt>40ms within 3s", &seconds), stopped(1.0));
        assert_eq!(check("avg-rt>30ms over 3s", &seconds), stopped(3.0));
        assert_eq!(check("hits>5 over 3s", &seconds), stopped(3.0));
        let goes_on = Checked { stopped: false, ..stopped(2.0) };
        assert_eq!(check("concurrency>2 for 2s, continue", &seconds), goes_on);
    }
}
