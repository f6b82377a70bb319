//! Runs all virtual users of all executions, and collects their samples once a second.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use support::event::EventSink;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::collector::Collector;
use super::passfail::PassFail;
use super::results::{CriterionResult, ExecutionResult};
use super::running::RunningExecution;
use super::script::Script;
use super::{LoadTestError, virtual_user};

/// How often samples are collected.
const TICK: Duration = Duration::from_secs(1);

/// The result of a run. `T` is what interrupted it.
#[derive(Debug)]
pub struct RunResult<T> {
    /// Each execution, in the script's order.
    pub executions: Vec<ExecutionResult>,
    /// Each criterion, in the script's order.
    pub criteria: Vec<CriterionResult>,
    /// What interrupted the run, if anything did.
    pub interrupted: Option<T>,
}

/// Runs a script until it ends, one of its criteria stops it, or `interrupt` resolves. `from`
/// says where requests are sent from.
pub async fn run<T>(
    script: &Script,
    from: &str,
    sink: &dyn EventSink,
    interrupt: impl Future<Output = T>,
) -> Result<RunResult<T>, LoadTestError> {
    check_connections(script)?;
    let begin = Instant::now();
    let running: Vec<_> =
        script.executions.iter().map(|it| Arc::new(RunningExecution::new(it, begin))).collect();
    let mut monitor = Monitor::new(script, &running, begin, sink);
    let interrupted = monitor.run(&running, interrupt).await?;
    let (executions, criteria) = monitor.finish(from);
    Ok(RunResult { executions, criteria, interrupted })
}

/// Each user has a connection.
fn check_connections(script: &Script) -> Result<(), LoadTestError> {
    let users = script.executions.iter().map(|execution| execution.users as usize).sum();
    let room = rest::system::room_for_connections();
    if users > room { Err(LoadTestError::TooManyUsers { users, room }) } else { Ok(()) }
}

/// Runs the users of an execution to their end, and returns the execution's number. Dropping the
/// future ends them.
async fn run_users(number: usize, running: &Arc<RunningExecution>) -> std::io::Result<usize> {
    let users = 0..running.execution.users;
    let mut users: JoinSet<_> =
        users.map(|user| virtual_user::run(user, Arc::clone(running))).collect();
    while let Some(user) = users.join_next().await {
        match user {
            Ok(ended) => ended?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    running.end();
    Ok(number)
}

/// Collects the samples of a run, and checks its criteria.
struct Monitor<'a> {
    begin: Instant,
    collectors: Vec<Collector<'a>>,
    criteria: PassFail<'a>,
}

impl<'a> Monitor<'a> {
    fn new(
        script: &'a Script,
        running: &'a [Arc<RunningExecution>],
        begin: Instant,
        sink: &'a dyn EventSink,
    ) -> Self {
        let executions = running.iter().enumerate();
        let collectors = executions.map(|(number, it)| Collector::new(number, it, begin, sink));
        Self { begin, collectors: collectors.collect(), criteria: PassFail::new(script) }
    }

    /// Runs all users until they end, a criterion stops them, or `interrupt` resolves.
    async fn run<T>(
        &mut self,
        running: &[Arc<RunningExecution>],
        interrupt: impl Future<Output = T>,
    ) -> Result<Option<T>, LoadTestError> {
        tokio::pin!(interrupt);
        let executions = running.iter().enumerate();
        let mut users: FuturesUnordered<_> =
            executions.map(|(number, it)| run_users(number, it)).collect();
        let mut ticks = interval_at(self.begin + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !users.is_empty() {
            tokio::select! {
                biased;
                by = &mut interrupt => return Ok(Some(by)),
                Some(ended) = users.next() => {
                    let number = ended.map_err(LoadTestError::System)?;
                    self.collectors[number].collect(Instant::now());
                }
                _ = ticks.tick() => {
                    let now = Instant::now();
                    self.collect(now);
                    if self.check_criteria(now) {
                        break;
                    }
                }
            }
        }
        Ok(None)
    }

    fn collect(&mut self, now: Instant) {
        for collector in &mut self.collectors {
            collector.collect(now);
        }
    }

    /// Checks the criteria against the samples that were collected last. Returns whether the
    /// run must stop.
    fn check_criteria(&mut self, now: Instant) -> bool {
        let seconds: Vec<_> = self.collectors.iter().filter_map(Collector::second).collect();
        let stops = self.criteria.check_second((now - self.begin).as_secs_f64(), &seconds);
        for collector in &mut self.collectors {
            collector.mark_checked();
        }
        stops
    }

    /// Collects the last samples, and returns the results.
    fn finish(mut self, from: &str) -> (Vec<ExecutionResult>, Vec<CriterionResult>) {
        let now = Instant::now();
        for collector in &mut self.collectors {
            collector.end();
        }
        self.collect(now);
        self.check_criteria(now);
        let whole: Vec<_> = self.collectors.iter().filter_map(Collector::whole).collect();
        let criteria = self.criteria.finish(self.begin.elapsed().as_secs_f64(), &whole);
        drop(whole);
        let executions = self.collectors.into_iter().map(|it| it.into_result(from)).collect();
        (executions, criteria)
    }
}
