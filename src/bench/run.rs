//! This module owns running all users of all executions, and what is seen of them while
//! they run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::pace::Pace;
use super::script::{Execution, Script};
use super::stats::{Outcome, Stats};
use super::user::{self, Crowd};
use crate::event::{EventSink, Reporter};
use crate::wait::humane;

/// What an execution measured.
#[derive(Debug)]
pub struct Measured {
    /// What all its users measured.
    pub stats: Stats,
    /// From its beginning, after the delay, to its last answer.
    pub took: Duration,
}

/// What happens in an execution at the moment.
#[derive(Debug, Default)]
pub(super) struct Live {
    users: AtomicU32,
    requests: AtomicU64,
    errors: AtomicU64,
}

/// A user that has started.
pub(super) struct Active<'a>(&'a Live);

impl Live {
    pub(super) fn user(&self) -> Active<'_> {
        self.users.fetch_add(1, Ordering::Relaxed);
        Active(self)
    }

    pub(super) fn request(&self, outcome: &Outcome) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !matches!(outcome, Outcome::Answered(_)) {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs a script to its end; what was measured comes in the order of its executions.
pub async fn run(script: &Script, sink: &dyn EventSink) -> Vec<Measured> {
    join_all(script.executions.iter().map(|execution| run_one(execution, sink))).await
}

async fn run_one(execution: &Arc<Execution>, sink: &dyn EventSink) -> Measured {
    let reporter = Reporter::new(sink, &execution.scenario.name);
    if !execution.delay.is_zero() {
        reporter.step(format!("waiting {}", humane(execution.delay)));
        tokio::time::sleep(execution.delay).await;
    }
    let lasts = user::lasts(execution).map(|lasts| format!(" for {}", humane(lasts)));
    reporter.step(format!("{} users{}", execution.users, lasts.unwrap_or_default()));
    let live = Arc::new(Live::default());
    let begin = Instant::now();
    let (pace, crowd_live) = (Pace::of(execution), Arc::clone(&live));
    let crowd = Arc::new(Crowd { execution: Arc::clone(execution), pace, begin, live: crowd_live });
    // Dropped with this future when a signal comes, and all users with it.
    let mut running: JoinSet<_> =
        (0..execution.users).map(|number| user::run(number, Arc::clone(&crowd))).collect();
    let users = async {
        let mut stats = Stats::new(execution.scenario.requests.len());
        while let Some(user) = running.join_next().await {
            match user {
                Ok(measured) => stats.add(&measured),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        stats
    };
    let stats = tokio::select! {
        stats = users => stats,
        never = watch(&live, reporter) => match never {},
    };
    let took = begin.elapsed();
    reporter.done(format!("{} requests", live.requests.load(Ordering::Relaxed)));
    Measured { stats, took }
}

/// Says every second how it goes.
async fn watch(live: &Live, reporter: Reporter<'_>) -> std::convert::Infallible {
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let requests = live.requests.load(Ordering::Relaxed);
        let errors = live.errors.load(Ordering::Relaxed);
        let users = live.users.load(Ordering::Relaxed);
        let rate = requests - std::mem::replace(&mut before, requests);
        reporter.detail(format!("{users} users, {rate} requests/s, {errors} errors"));
    }
}
