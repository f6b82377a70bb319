//! Interrupts the serving of a connection: to check its progress, and when the server stops.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

/// The interrupts of one connection.
pub(super) struct Interrupts {
    next_check: Pin<Box<Sleep>>,
    interval: Duration,
    stage: watch::Receiver<Stage>,
    /// `None` once the last stage is reached.
    stage_change: Option<StageChange>,
    /// Both futures have the waker of the connection's task.
    armed: bool,
}

/// Completes when the server's stage changes.
type StageChange = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The stages of a server that stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Serving,
    /// It accepts no new connections, and closes each with its next answer: a client that is
    /// sending a request must not find its connection closed.
    Draining,
    /// It closes connections without a request.
    Closing,
}

/// Why a connection is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    CheckProgress,
    StageChanged(Stage),
}

impl Interrupts {
    /// Interrupts at each `interval`, and when the server's stage changes.
    pub(super) fn new(interval: Duration, stage: watch::Receiver<Stage>) -> Self {
        let stage_change = Some(change_of(&stage));
        let next_check = Box::pin(tokio::time::sleep(interval));
        Self { next_check, interval, stage, stage_change, armed: false }
    }

    /// Runs `work` until it completes or is interrupted, whichever is first.
    ///
    /// A connection is woken for every request, and rarely for an interrupt. Both futures keep
    /// the waker that they were polled with, and a task's waker never changes: they are polled
    /// again only when one of them is ready.
    pub(super) async fn or<T>(
        &mut self,
        mut work: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Interrupt> {
        poll_fn(|cx| match work(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending if self.armed && !self.is_due() => Poll::Pending,
            Poll::Pending => self.poll(cx).map(Err),
        })
        .await
    }

    /// Checks progress at another interval from now on.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
        self.next_check.as_mut().reset(Instant::now() + interval);
        self.armed = false;
    }

    fn is_due(&self) -> bool {
        let has_changed = || self.stage.has_changed().unwrap_or(true);
        self.next_check.is_elapsed() || self.stage_change.is_some() && has_changed()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Interrupt> {
        self.armed = true;
        if self.next_check.as_mut().poll(cx).is_ready() {
            self.next_check.as_mut().reset(Instant::now() + self.interval);
            self.armed = false;
            return Poll::Ready(Interrupt::CheckProgress);
        }
        if let Some(change) = &mut self.stage_change
            && change.as_mut().poll(cx).is_ready()
        {
            let stage = *self.stage.borrow_and_update();
            self.stage_change = (stage != Stage::Closing).then(|| change_of(&self.stage));
            self.armed = false;
            return Poll::Ready(Interrupt::StageChanged(stage));
        }
        Poll::Pending
    }
}

fn change_of(stage: &watch::Receiver<Stage>) -> StageChange {
    let mut stage = stage.clone();
    Box::pin(async move {
        // The sender outlives the connections.
        let _ = stage.changed().await;
    })
}
