//! Collects the samples of one execution: each second, and all together.

use std::time::Duration;

use support::event::{EventSink, Reporter};
use support::wait::in_words;
use tokio::time::Instant;

use super::live;
use super::passfail::Interval;
use super::results::{
    ExecutionResult, LabelResult, Second, per_second, percentile_curve, quantile_ms,
};
use super::running::RunningExecution;
use super::stats::{RequestStats, ScenarioStats};

/// A shorter time is not collected before the execution's end: it began at the end of a second.
const MIN_SECOND: Duration = Duration::from_millis(50);
/// How late a second may be collected.
const MAX_DELAY: Duration = Duration::from_millis(100);

/// What has been collected of an execution so far.
pub(super) struct Collector<'a> {
    /// The execution's number in the script.
    number: usize,
    running: &'a RunningExecution,
    /// When the load test began.
    begin: Instant,
    reporter: Reporter<'a>,
    whole: ScenarioStats,
    /// The last second.
    second: ScenarioStats,
    /// Whether criteria have been checked against the last second.
    is_checked: bool,
    spare: ScenarioStats,
    /// The most users in the last second.
    users: u32,
    timeline: Vec<Second>,
    /// When the last second ended, after the execution's beginning.
    until: Option<Duration>,
    hold: Hold,
}

/// What happened while all users were running.
#[derive(Debug, Clone, Copy, Default)]
struct Hold {
    requests: u64,
    time: Duration,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        number: usize,
        running: &'a RunningExecution,
        begin: Instant,
        sink: &'a dyn EventSink,
    ) -> Self {
        let execution = &running.execution;
        let reporter = Reporter::new(sink, &execution.scenario.name);
        reporter.step(if execution.delay.is_zero() {
            live::opening(execution)
        } else {
            format!("waiting {}", in_words(execution.delay))
        });
        Self {
            number,
            running,
            begin,
            reporter,
            whole: ScenarioStats::new(execution),
            second: ScenarioStats::new(execution),
            is_checked: true,
            spare: ScenarioStats::new(execution),
            users: 0,
            timeline: Vec::new(),
            until: None,
            hold: Hold::default(),
        }
    }

    /// Collects the samples since the last call as a second that ends now.
    pub(super) fn collect(&mut self, now: Instant) {
        let from = self.until.unwrap_or_default();
        let min = if self.running.has_ended() { Duration::ZERO } else { MIN_SECOND };
        let to = self.running.elapsed(now).filter(|to| to.saturating_sub(from) > min);
        let Some(to) = to else { return };
        self.users = self.running.take_max_users();
        self.is_checked = false;
        let execution = &self.running.execution;
        if self.until.is_none() && !execution.delay.is_zero() {
            self.reporter.step(live::opening(execution));
        }
        self.second.reset();
        self.running.take_samples(&mut self.second, &mut self.spare);
        self.whole.add(&self.second);
        let Some(sum) = self.second.sum() else { return };
        self.add_hold(sum.count, from, to);
        let second = self.summarize(&sum, from, to);
        self.reporter.detail(live::line(execution, &second, self.whole.failed(), to));
        self.timeline.push(second);
        self.until = Some(to);
        if self.running.has_ended() {
            self.reporter.done(live::closing(&self.whole));
        }
    }

    /// Ends the execution, whose users have stopped.
    pub(super) fn end(&self) {
        self.running.end();
    }

    /// The second between two times after the execution's beginning.
    fn summarize(&self, sum: &RequestStats, from: Duration, to: Duration) -> Second {
        let quantile = |quantile| quantile_ms(&sum.time, quantile);
        let duration = to.saturating_sub(from);
        let pace = self.running.pace.as_ref();
        Second {
            at: (self.running.begin + to - self.begin).as_secs_f64(),
            seconds: duration.as_secs_f64(),
            users: self.users,
            // In the middle of a step, not at its edge.
            cap: pace.map(|pace| pace.per_second(to.saturating_sub(duration / 2))),
            requests: sum.count,
            errors: sum.failed(),
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
        }
    }

    /// Adds a second to the hold, if all users were running for all of it.
    fn add_hold(&mut self, requests: u64, from: Duration, to: Duration) {
        let execution = &self.running.execution;
        let end = execution.max_duration();
        if from + MAX_DELAY >= execution.ramp_up && end.is_some_and(|end| to <= end + MAX_DELAY) {
            self.hold.requests += requests;
            self.hold.time += to.saturating_sub(from);
        }
    }

    /// The last second, if criteria have not been checked against it.
    pub(super) fn second(&self) -> Option<Interval<'_>> {
        let (users, stats) = (self.users, &self.second);
        (!self.is_checked).then(|| self.interval(users, stats))
    }

    /// Marks the last second as checked.
    pub(super) fn mark_checked(&mut self) {
        self.is_checked = true;
    }

    /// Everything, if the execution has begun.
    pub(super) fn whole(&self) -> Option<Interval<'_>> {
        self.until?;
        Some(self.interval(self.running.execution.users, &self.whole))
    }

    fn interval<'b>(&'b self, users: u32, stats: &'b ScenarioStats) -> Interval<'b> {
        Interval { number: self.number, execution: &self.running.execution, users, stats }
    }

    pub(super) fn into_result(self, from: &str) -> ExecutionResult {
        let execution = &*self.running.execution;
        let sum = self.whole.sum().unwrap_or_else(|| RequestStats::new(false));
        let duration = self.until.unwrap_or_default();
        let missed = self.running.missed();
        let Hold { requests, time } = self.hold;
        ExecutionResult {
            from: from.into(),
            scenario: execution.scenario.name.clone(),
            url: execution.endpoint().to_string(),
            users: execution.users,
            cap: execution.throughput.filter(|_| execution.rate.is_none()),
            rate: execution.rate,
            delay: execution.delay.as_secs_f64(),
            seconds: duration.as_secs_f64(),
            requests: sum.count,
            errors: sum.failed(),
            late: missed.map(|missed| missed.late),
            dropped: missed.map(|missed| missed.dropped),
            overall_per_second: per_second(sum.count, duration),
            hold_per_second: (!time.is_zero()).then(|| per_second(requests, time)),
            bytes: sum.bytes,
            labels: LabelResult::all(&execution.scenario, &self.whole),
            timeline: self.timeline,
            curve: percentile_curve(&sum.time),
        }
    }
}
