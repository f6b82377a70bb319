//! Runs all users of all executions, and collects once a second what they measured.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use support::event::{EventSink, Reporter};
use support::wait::in_words;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::judge::{Judge, Part};
use super::load::Load;
use super::outcome::{
    ExecutionOutcome, LabelOutcome, Second, Verdict, curve, per_second, quantile_ms,
};
use super::script::Script;
use super::stats::{Measured, Stats};
use super::{BenchError, live, user};

/// How often what was measured is collected.
const TICK: Duration = Duration::from_secs(1);

/// What a load came to. `T` is what interrupted it.
#[derive(Debug)]
pub struct Ran<T> {
    /// Each execution, in the script's order.
    pub executions: Vec<ExecutionOutcome>,
    /// Each criterion, in the script's order.
    pub criteria: Vec<Verdict>,
    /// What interrupted it, if anything did.
    pub interrupted: Option<T>,
}

/// Runs a script to its end, or until one of its criteria stops it, or until `interrupt`
/// does. `from` says where the load comes from.
pub async fn run<T>(
    script: &Script,
    from: &str,
    sink: &dyn EventSink,
    interrupt: impl Future<Output = T>,
) -> Result<Ran<T>, BenchError> {
    make_room(script)?;
    tokio::pin!(interrupt);
    let mut interrupted = None;
    let begin = Instant::now();
    let loads: Vec<_> = script.executions.iter().map(|it| Arc::new(Load::new(it, begin))).collect();
    let users: Vec<JoinSet<_>> = loads.iter().map(start).collect();
    let mut collected: Vec<_> = loads.iter().map(|load| Collected::new(load, sink)).collect();
    let mut judge = Judge::new(script);
    let all = loads.iter().zip(users).enumerate();
    let mut running: FuturesUnordered<_> =
        all.map(|(number, (load, users))| finish(number, load, users)).collect();
    let mut ticks = interval_at(begin + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while !running.is_empty() {
        tokio::select! {
            biased;
            by = &mut interrupt => {
                interrupted = Some(by);
                break;
            }
            Some(ended) = running.next() => {
                collected[ended.map_err(BenchError::System)?].collect(begin, Instant::now());
            }
            _ = ticks.tick() => {
                let now = Instant::now();
                for one in &mut collected {
                    one.collect(begin, now);
                }
                if judged(&mut judge, &mut collected, now - begin) {
                    break;
                }
            }
        }
    }
    // Where there are users yet, this ends them.
    drop(running);
    let now = Instant::now();
    for one in &mut collected {
        one.load.end();
        one.collect(begin, now);
    }
    judged(&mut judge, &mut collected, now - begin);
    let parts: Vec<_> = collected.iter().map(Collected::whole).collect();
    let criteria = judge.finish(begin.elapsed().as_secs_f64(), &parts);
    let executions = collected.into_iter().map(|one| one.outcome(from)).collect();
    Ok(Ran { executions, criteria, interrupted })
}

/// Each user has a connection.
fn make_room(script: &Script) -> Result<(), BenchError> {
    let users = script.executions.iter().map(|execution| execution.users as usize).sum();
    let room = rest::system::room_for_connections();
    if users > room { Err(BenchError::Files { users, room }) } else { Ok(()) }
}

fn start(load: &Arc<Load>) -> JoinSet<std::io::Result<()>> {
    (0..load.execution.users).map(|number| user::run(number, Arc::clone(load))).collect()
}

/// Holds the criteria against what was collected last. True where the load must stop.
fn judged(judge: &mut Judge<'_>, collected: &mut [Collected<'_>], at: Duration) -> bool {
    let parts: Vec<_> = collected.iter().map(Collected::second_part).collect();
    let stops = judge.second(at.as_secs_f64(), &parts);
    for one in collected {
        one.is_fresh = false;
    }
    stops
}

/// Waits until all users of an execution have come to their end, and says which it is.
async fn finish(
    number: usize,
    load: &Load,
    mut users: JoinSet<std::io::Result<()>>,
) -> std::io::Result<usize> {
    while let Some(user) = users.join_next().await {
        match user {
            Ok(ended) => ended?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    load.end();
    Ok(number)
}

/// What has been collected of an execution so far.
struct Collected<'a> {
    load: &'a Load,
    reporter: Reporter<'a>,
    whole: Stats,
    /// Of the last second.
    second: Stats,
    /// Whether it is to be judged yet.
    is_fresh: bool,
    spare: Stats,
    /// The most users in the last second.
    users: u32,
    timeline: Vec<Second>,
    /// When the last second ended, after the execution's beginning.
    until: Option<Duration>,
    /// Requests and time since all users had started.
    hold: (u64, Duration),
}

impl<'a> Collected<'a> {
    fn new(load: &'a Load, sink: &'a dyn EventSink) -> Self {
        let execution = &load.execution;
        let stats = || Stats::new(execution.scenario.requests.len(), execution.rate.is_some());
        let reporter = Reporter::new(sink, &execution.scenario.name);
        reporter.step(if execution.delay.is_zero() {
            live::opening(execution)
        } else {
            format!("waiting {}", in_words(execution.delay))
        });
        Self {
            load,
            reporter,
            whole: stats(),
            second: stats(),
            is_fresh: false,
            spare: stats(),
            users: 0,
            timeline: Vec::new(),
            until: None,
            hold: Default::default(),
        }
    }

    /// Collects what was measured since the last time.
    fn collect(&mut self, begin: Instant, now: Instant) {
        let last = self.until;
        let is_new = |ran: &Duration| match ran.saturating_sub(last.unwrap_or_default()) {
            // Begun at the very end of the second.
            little if !self.load.has_ended() => little > TICK / 20,
            little => !little.is_zero(),
        };
        let Some(ran) = self.load.ran(now).filter(is_new) else { return };
        self.users = self.load.most_users();
        self.is_fresh = true;
        if last.is_none() && !self.load.execution.delay.is_zero() {
            self.reporter.step(live::opening(&self.load.execution));
        }
        self.second.reset();
        self.load.collect(&mut self.second, &mut self.spare);
        self.whole.add(&self.second);
        let Some(all) = Measured::sum(&self.second.0) else { return };
        let lasted = ran.saturating_sub(last.unwrap_or_default());
        self.note_hold(all.count, last.unwrap_or_default(), ran);
        let at = (self.load.begin + ran - begin).as_secs_f64();
        let second = self.row(&all, at, lasted, ran);
        let failed = self.whole.0.iter().map(Measured::failed).sum();
        self.reporter.detail(live::line(&self.load.execution, &second, failed, ran));
        self.timeline.push(second);
        self.until = Some(ran);
        if self.load.has_ended() {
            self.reporter.done(live::closing(&self.whole));
        }
    }

    fn row(&self, all: &Measured, at: f64, lasted: Duration, ran: Duration) -> Second {
        let quantile = |quantile| quantile_ms(&all.time, quantile);
        let pace = self.load.pace.as_ref();
        Second {
            at,
            seconds: lasted.as_secs_f64(),
            users: self.users,
            // In the middle of a step, not at its edge.
            cap: pace.map(|pace| pace.per_second(ran.saturating_sub(lasted / 2))),
            requests: all.count,
            errors: all.failed(),
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
        }
    }

    /// Counts what happened while all users were there, and none had ended yet.
    fn note_hold(&mut self, requests: u64, from: Duration, to: Duration) {
        let execution = &self.load.execution;
        // What is collected at a second's end may be some milliseconds late.
        let late = Duration::from_millis(100);
        let ends = execution.lasts();
        if from + late >= execution.ramp_up && ends.is_some_and(|ends| to <= ends + late) {
            self.hold.0 += requests;
            self.hold.1 += to.saturating_sub(from);
        }
    }

    fn second_part(&self) -> Option<Part<'_>> {
        let part = Part { users: self.users, stats: &self.second };
        self.is_fresh.then_some(part)
    }

    fn whole(&self) -> Option<Part<'_>> {
        self.until?;
        Some(Part { users: self.load.execution.users, stats: &self.whole })
    }

    fn outcome(self, from: &str) -> ExecutionOutcome {
        let execution = &*self.load.execution;
        let sum = Measured::sum(&self.whole.0).unwrap_or_else(|| Measured::new(false));
        let took = self.until.unwrap_or_default();
        let missed = self.load.missed();
        let (hold, hold_time) = self.hold;
        ExecutionOutcome {
            from: from.into(),
            scenario: execution.scenario.name.clone(),
            url: execution.endpoint().to_string(),
            users: execution.users,
            cap: execution.throughput.filter(|_| execution.rate.is_none()),
            rate: execution.rate,
            delay: execution.delay.as_secs_f64(),
            seconds: took.as_secs_f64(),
            requests: sum.count,
            errors: sum.failed(),
            late: missed.map(|(late, _)| late),
            dropped: missed.map(|(_, dropped)| dropped),
            overall_per_second: per_second(sum.count, took),
            hold_per_second: (!hold_time.is_zero()).then(|| per_second(hold, hold_time)),
            bytes: sum.bytes,
            labels: LabelOutcome::all(execution, &self.whole),
            timeline: self.timeline,
            curve: curve(&sum.time),
        }
    }
}
