//! One execution while it runs: what its users share, and where they record their measurements.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pace::Pace;
use super::request::Prepared;
use super::script::Execution;
use super::stats::{Sample, Stats};

/// Users share this many places to put samples at most: fewer would make them wait for
/// each other, more would take memory for nothing.
const MOST_SHARDS: u32 = 16;

/// What the users of an execution share.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) execution: Arc<Execution>,
    pub(super) requests: Vec<Prepared>,
    pub(super) pace: Option<Pace>,
    /// When the execution begins, its delay included.
    pub(super) begin: Instant,
    ended: OnceLock<Instant>,
    users: AtomicU32,
    /// The most users since the last time that they were looked at.
    most_users: AtomicU32,
    late: AtomicU64,
    dropped: AtomicU64,
    shards: Vec<Mutex<Stats>>,
}

/// A user that has started.
pub(super) struct Active<'a>(&'a Load);

impl Load {
    /// Of an execution in a run that begins at `begin`.
    pub(super) fn new(execution: &Arc<Execution>, begin: Instant) -> Self {
        let scenario = &execution.scenario;
        let authority = execution.endpoint().authority();
        let prepared = scenario.requests.iter();
        let token = execution.token.as_ref();
        let prepared = prepared.map(|it| Prepared::new(it, &authority, token, scenario.keepalive));
        let shard = |_| Mutex::new(Stats::new(scenario.requests.len(), execution.rate.is_some()));
        Self {
            requests: prepared.collect(),
            pace: Pace::of(execution),
            begin: begin + execution.delay,
            ended: OnceLock::new(),
            users: AtomicU32::new(0),
            most_users: AtomicU32::new(0),
            late: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            shards: (0..execution.users.min(MOST_SHARDS)).map(shard).collect(),
            execution: Arc::clone(execution),
        }
    }

    /// A user begins; it ends with what is returned.
    pub(super) fn user(&self) -> Active<'_> {
        let users = self.users.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_users.fetch_max(users, Ordering::Relaxed);
        Active(self)
    }

    /// The most users at a time since this was asked last.
    pub(super) fn most_users(&self) -> u32 {
        self.most_users.swap(self.users.load(Ordering::Relaxed), Ordering::Relaxed)
    }

    /// Notes how a user's request went.
    pub(super) fn record(&self, user: u32, request: usize, sample: Sample) {
        let shard = &self.shards[user as usize % self.shards.len()];
        shard.lock().unwrap_or_else(PoisonError::into_inner).0[request].record(sample);
    }

    /// Adds what was measured since the last time to `stats`.
    pub(super) fn collect(&self, stats: &mut Stats, spare: &mut Stats) {
        for shard in &self.shards {
            std::mem::swap(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner), spare);
            stats.add(spare);
            spare.reset();
        }
    }

    /// A request was sent after it was due, since nobody was free.
    pub(super) fn note_late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests were due and not sent.
    pub(super) fn note_dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Late and dropped requests, of an open loop.
    pub(super) fn missed(&self) -> Option<(u64, u64)> {
        self.execution.rate?;
        Some((self.late.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed)))
    }

    /// All users have come to their end. Said once more, it changes nothing.
    pub(super) fn end(&self) {
        if self.has_ended() {
            return;
        }
        let now = Instant::now();
        if let (Some(pace), Some(lasts)) = (&self.pace, self.execution.lasts())
            && self.execution.rate.is_some()
        {
            self.note_dropped(pace.unclaimed(lasts.min(now - self.begin)));
        }
        let _ = self.ended.set(now);
    }

    /// How long it has run by `now`, or ran if it has ended; `None` before its beginning.
    pub(super) fn ran(&self, now: Instant) -> Option<Duration> {
        let until = self.ended.get().copied().unwrap_or(now);
        until.checked_duration_since(self.begin)
    }

    /// Whether all users have come to their end.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}
