//! Decides whether a load test has failed: checks its criteria against the measurements of each
//! second and of the whole run. It decides as Taurus does, so that a script fails in both.

use std::collections::VecDeque;

use super::outcome::{Verdict, as_f64, quantile_ms};
use super::script::{Chosen, Condition, Criterion, Logic, Measure, Script};
use super::stats::{Measured, Stats};

/// What an execution measured in a second, or in all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) users: u32,
    pub(super) stats: &'a Stats,
}

/// The criteria of a script and how they stand.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    script: &'a Script,
    states: Vec<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Values of the last seconds, as many as the window has.
    values: VecDeque<f64>,
    /// Seconds in a row that met the condition.
    in_a_row: u64,
    value: Option<f64>,
    met_at: Option<f64>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(script: &'a Script) -> Self {
        let states = script.criteria.iter().map(|_| State::default()).collect();
        Self { script, states }
    }

    /// Looks at a second that ended `at`, in seconds after the load's beginning. True
    /// where the load must stop.
    pub(super) fn second(&mut self, at: f64, parts: &[Option<Part<'_>>]) -> bool {
        let mut stops = false;
        for (criterion, state) in self.script.criteria.iter().zip(&mut self.states) {
            let Some(window) = criterion.window else { continue };
            let Some(value) = value(criterion, self.script, parts) else { continue };
            let seconds = window.time.as_secs().max(1);
            state.note(criterion, window.logic, seconds, value, at);
            stops |= criterion.stops && state.met_at.is_some();
        }
        stops
    }

    /// Looks at the whole load, which took until `at`.
    pub(super) fn finish(mut self, at: f64, parts: &[Option<Part<'_>>]) -> Vec<Verdict> {
        for (criterion, state) in self.script.criteria.iter().zip(&mut self.states) {
            if criterion.window.is_none() {
                state.value = value(criterion, self.script, parts);
                let is_met = state.value.is_some_and(|value| criterion.is_met(value));
                state.met_at = is_met.then_some(at);
            }
        }
        let all = self.script.criteria.iter().zip(&self.states);
        all.map(|(criterion, state)| self.verdict(criterion, state)).collect()
    }

    fn verdict(&self, criterion: &Criterion, state: &State) -> Verdict {
        let execution = criterion.execution.and_then(|number| self.script.executions.get(number));
        Verdict {
            from: None,
            criterion: criterion.message.clone().unwrap_or_else(|| criterion.text.clone()),
            scenario: execution.map(|execution| execution.scenario.name.clone()),
            value: state.value.map(|value| criterion.shown(value)),
            met_at: state.met_at,
            failed: criterion.fails && state.met_at.is_some(),
        }
    }
}

impl State {
    fn note(&mut self, criterion: &Criterion, logic: Logic, seconds: u64, value: f64, at: f64) {
        if self.met_at.is_some() {
            return;
        }
        self.values.push_back(value);
        if self.values.len() as u64 > seconds {
            self.values.pop_front();
        }
        let value = match logic {
            Logic::For => value,
            Logic::Over | Logic::Within => {
                let sum: f64 = self.values.iter().sum();
                if criterion.adds_up() { sum } else { sum / as_f64(self.values.len() as u64) }
            }
        };
        let is_met = criterion.is_met(value);
        self.in_a_row = if is_met { self.in_a_row + 1 } else { 0 };
        let is_full = self.values.len() as u64 >= seconds;
        self.value = Some(value);
        let fires = match logic {
            Logic::For => self.in_a_row >= seconds,
            Logic::Over => is_met && is_full,
            Logic::Within => is_met,
        };
        self.met_at = fires.then_some(at);
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

    /// Whether seconds together have the sum of what each has, not the mean.
    fn adds_up(&self) -> bool {
        matches!(self.subject, Measure::Requests | Measure::Count { percent: false, .. })
    }

    fn shown(&self, value: f64) -> String {
        match self.subject {
            Measure::Average | Measure::Deviation | Measure::Percentile(_) => {
                format!("{value:.2} ms")
            }
            Measure::Count { percent: true, .. } => format!("{value:.2}%"),
            _ => format!("{value:.0}"),
        }
    }
}

/// What the criterion looks at; `None` where nothing was measured.
fn value(criterion: &Criterion, script: &Script, parts: &[Option<Part<'_>>]) -> Option<f64> {
    let is_meant = |number: &usize| criterion.execution.is_none_or(|one| one == *number);
    let parts = parts.iter().enumerate().filter(|(number, _)| is_meant(number));
    let parts: Vec<_> = parts.filter_map(|(number, part)| Some((number, part.as_ref()?))).collect();
    if criterion.subject == Measure::Users {
        return Some(parts.iter().map(|(_, part)| f64::from(part.users)).sum());
    }
    let requests = parts.iter().flat_map(|(number, part)| {
        script.executions[*number].scenario.requests.iter().zip(&part.stats.0)
    });
    let is_meant = |label: &str| criterion.label.as_ref().is_none_or(|wanted| wanted == label);
    let meant = requests.filter(|(request, _)| is_meant(&request.label));
    let sum = Measured::sum(meant.map(|(_, measured)| measured)).filter(|sum| sum.count > 0)?;
    Some(measure(&criterion.subject, &sum))
}

fn measure(subject: &Measure, sum: &Measured) -> f64 {
    match subject {
        Measure::Average => sum.time.mean() / 1000.0,
        Measure::Deviation => sum.time.stdev() / 1000.0,
        Measure::Percentile(level) => quantile_ms(&sum.time, level / 100.0),
        Measure::Users => 0.0,
        Measure::Requests => as_f64(sum.count),
        Measure::Bytes => as_f64(sum.bytes),
        Measure::Count { of, percent } => {
            let count = match of {
                Chosen::Succeeded => sum.count - sum.failed(),
                Chosen::Failed => sum.failed(),
                Chosen::Status(pattern) => {
                    let fits = sum.statuses.iter();
                    let fits = fits.filter(|(status, _)| fits_status(pattern, &status.to_string()));
                    fits.map(|(_, count)| count).sum()
                }
            };
            if *percent { 100.0 * as_f64(count) / as_f64(sum.count) } else { as_f64(count) }
        }
    }
}

/// Whether a status fits a pattern, where `?` is any digit and `*` any digits.
fn fits_status(pattern: &str, status: &str) -> bool {
    match pattern.split_at_checked(1) {
        None => status.is_empty(),
        Some(("*", rest)) => (0..=status.len()).any(|from| fits_status(rest, &status[from..])),
        Some((first, rest)) => status.split_at_checked(1).is_some_and(|(digit, others)| {
            (first == "?" || first == digit) && fits_status(rest, others)
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::stats::{Answered, Sample};
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

    /// Requests to /a with their times in ms; every fifth has failed.
    fn second(times: &[u64]) -> Stats {
        let mut stats = Stats::new(2, false);
        for (n, millis) in times.iter().enumerate() {
            let time = Duration::from_millis(*millis);
            let (code, error) =
                if n % 5 == 4 { (503, Some("status 503".into())) } else { (200, None) };
            let answer = Some(Answered { status: code, bytes: 100 });
            stats.0[0].record(Sample { service: time, response: time, answer, error });
        }
        stats
    }

    /// The second in which a criterion was met, or the number of seconds where it was met
    /// by the whole; and whether it failed and stopped the load.
    fn judged(criterion: &str, seconds: &[&[u64]]) -> (Option<usize>, bool, bool) {
        let text = SCRIPT.replace("CRITERION", &format!("'{criterion}'"));
        let script = script::read_text(&text).unwrap();
        let (mut judge, mut all, mut stops) = (Judge::new(&script), Stats::new(2, false), false);
        for (n, times) in seconds.iter().enumerate() {
            let stats = second(times);
            stops |= judge.second(as_f64(n as u64 + 1), &[Some(Part { users: 3, stats: &stats })]);
            all.add(&stats);
        }
        let parts = [Some(Part { users: 0, stats: &all })];
        let verdict = judge.finish(as_f64(seconds.len() as u64), &parts).remove(0);
        let at = verdict.met_at.map(|at| format!("{at}").parse().unwrap());
        (at, verdict.failed, stops)
    }

    #[test]
    fn the_whole_is_judged_at_the_end() {
        let seconds: [&[u64]; 2] = [&[10, 10, 10, 10, 60], &[10]];
        assert_eq!(judged("avg-rt>18ms", &seconds), (Some(2), true, false));
        assert_eq!(judged("avg-rt>19ms", &seconds), (None, false, false));
        assert_eq!(judged("p50>10ms, continue as non-failed", &seconds), (Some(2), false, false));
        assert_eq!(judged("fail>=1", &seconds), (Some(2), true, false));
        assert_eq!(judged("fail>17%", &seconds), (None, false, false));
        assert_eq!(judged("rc5??=1", &seconds), (Some(2), true, false));
        assert_eq!(judged("rc*<6", &seconds), (None, false, false));
        assert_eq!(judged("bytes>599", &seconds), (Some(2), true, false));
        assert_eq!(judged("hits of /b>0", &seconds), (None, false, false), "nothing was sent");
    }

    #[test]
    fn seconds_are_judged_as_they_go_by() {
        let slow: &[u64] = &[50, 50];
        let fast: &[u64] = &[1, 1];
        let seconds = [slow, fast, slow, slow, fast];
        assert_eq!(judged("avg-rt>40ms for 2s", &seconds), (Some(4), true, true));
        assert_eq!(judged("avg-rt>40ms for 3s", &seconds), (None, false, false));
        assert_eq!(judged("avg-rt>40ms within 3s", &seconds), (Some(1), true, true));
        assert_eq!(judged("avg-rt>30ms over 3s", &seconds), (Some(3), true, true));
        assert_eq!(judged("hits>5 over 3s", &seconds), (Some(3), true, true));
        assert_eq!(judged("concurrency>2 for 2s, continue", &seconds), (Some(2), true, false));
    }
}
