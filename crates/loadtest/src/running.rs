//! An execution while it runs: what its virtual users share, and where they record samples.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pace::Pace;
use super::request::PreparedRequest;
use super::script::{Execution, Request};
use super::stats::{Sample, ScenarioStats};

/// The most shards that virtual users record samples in: with fewer they would wait for each
/// other, and more would only take memory.
const MAX_SHARDS: u32 = 16;

/// What the virtual users of an execution share.
#[derive(Debug)]
pub(super) struct RunningExecution {
    pub(super) execution: Arc<Execution>,
    prepared: Vec<PreparedRequest>,
    pub(super) pace: Option<Pace>,
    /// When the execution begins, after its delay.
    pub(super) begin: Instant,
    ended: OnceLock<Instant>,
    users: AtomicU32,
    /// The most users at a time since this was last read.
    max_users: AtomicU32,
    late: AtomicU64,
    dropped: AtomicU64,
    shards: Vec<Mutex<ScenarioStats>>,
}

/// A request of the scenario, as a virtual user sends it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    /// Its number in the scenario.
    pub(super) number: usize,
    pub(super) request: &'a Request,
    pub(super) prepared: &'a PreparedRequest,
}

/// Requests of an open loop that were not sent on time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missed {
    /// Sent after they were due.
    pub(super) late: u64,
    /// Never sent.
    pub(super) dropped: u64,
}

/// Counts a virtual user as running until it is dropped.
pub(super) struct UserGuard<'a>(&'a RunningExecution);

impl RunningExecution {
    /// An execution of a load test that begins at `begin`.
    pub(super) fn new(execution: &Arc<Execution>, begin: Instant) -> Self {
        let scenario = &execution.scenario;
        let authority = execution.endpoint().authority();
        let token = execution.token.as_ref();
        let prepared = scenario.requests.iter();
        let prepared =
            prepared.map(|it| PreparedRequest::new(it, &authority, token, scenario.keepalive));
        let shard = |_| Mutex::new(ScenarioStats::new(execution));
        Self {
            prepared: prepared.collect(),
            pace: Pace::of(execution),
            begin: begin + execution.delay,
            ended: OnceLock::new(),
            users: AtomicU32::new(0),
            max_users: AtomicU32::new(0),
            late: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            shards: (0..execution.users.min(MAX_SHARDS)).map(shard).collect(),
            execution: Arc::clone(execution),
        }
    }

    /// The scenario's requests, in their order.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let requests = self.execution.scenario.requests.iter().zip(&self.prepared).enumerate();
        requests.map(|(number, (request, prepared))| Step { number, request, prepared })
    }

    /// Counts a virtual user as running.
    pub(super) fn start_user(&self) -> UserGuard<'_> {
        let users = self.users.fetch_add(1, Ordering::Relaxed) + 1;
        self.max_users.fetch_max(users, Ordering::Relaxed);
        UserGuard(self)
    }

    /// The most users at a time since the last call.
    pub(super) fn take_max_users(&self) -> u32 {
        self.max_users.swap(self.users.load(Ordering::Relaxed), Ordering::Relaxed)
    }

    /// Records a user's sample of a request.
    pub(super) fn record(&self, user: u32, request: usize, sample: Sample) {
        let shard = &self.shards[user as usize % self.shards.len()];
        shard.lock().unwrap_or_else(PoisonError::into_inner).record(request, sample);
    }

    /// Moves the samples since the last call to `stats`; `spare` is empty before and after.
    pub(super) fn take_samples(&self, stats: &mut ScenarioStats, spare: &mut ScenarioStats) {
        for shard in &self.shards {
            std::mem::swap(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner), spare);
            stats.add(spare);
            spare.reset();
        }
    }

    /// Counts a request as sent late, because no user was free when it was due.
    pub(super) fn count_late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts requests as dropped.
    pub(super) fn count_dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Late and dropped requests, in an open loop.
    pub(super) fn missed(&self) -> Option<Missed> {
        self.execution.rate?;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Some(Missed { late: count(&self.late), dropped: count(&self.dropped) })
    }

    /// Ends the execution, if it has not ended yet.
    pub(super) fn end(&self) {
        if self.has_ended() {
            return;
        }
        let now = Instant::now();
        if let (Some(pace), Some(duration)) = (&self.pace, self.execution.max_duration())
            && self.execution.rate.is_some()
        {
            self.count_dropped(pace.unclaimed(duration.min(now - self.begin)));
        }
        let _ = self.ended.set(now);
    }

    /// How long it has run by `now`, or ran if it has ended; `None` before its beginning.
    pub(super) fn elapsed(&self, now: Instant) -> Option<Duration> {
        let until = self.ended.get().copied().unwrap_or(now);
        until.checked_duration_since(self.begin)
    }

    /// Whether all users have ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }
}

impl Drop for UserGuard<'_> {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}
