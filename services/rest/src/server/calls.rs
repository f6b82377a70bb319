//! Interrupts the serving of a connection: when it is time to check its progress, and when the
//! server stops.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

/// Calls to one connection.
pub(super) struct Calls {
    look: Pin<Box<Sleep>>,
    every: Duration,
    stopping: watch::Receiver<Stage>,
    stop: Option<Changed>,
    /// Both futures know the task to wake.
    armed: bool,
}

/// Comes to its end when the server's stage changes.
type Changed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Serving,
    /// It takes no new connections. Those that there are close with their next answer: a
    /// client whose request is under way must not find its connection closed.
    Leaving,
    /// Connections without a request are closed.
    Closing,
}

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Look,
    Stop(Stage),
}

impl Calls {
    pub(super) fn new(every: Duration, stopping: watch::Receiver<Stage>) -> Self {
        let stop = changed(&stopping);
        let look = Box::pin(tokio::time::sleep(every));
        Self { look, every, stopping, stop: Some(stop), armed: false }
    }

    /// Runs `work` until it is done or there is a call, whichever is first.
    ///
    /// A connection is woken for every request and rarely for a call. Both futures of
    /// calls keep the waker that they have got, and a task's waker stays the same for
    /// its life: they are polled again only when they have something to say.
    pub(super) async fn or<T>(
        &mut self,
        mut work: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Call> {
        poll_fn(|cx| match work(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending if self.armed && !self.has_call() => Poll::Pending,
            Poll::Pending => self.poll(cx).map(Err),
        })
        .await
    }

    fn has_call(&self) -> bool {
        let stopping = self.stop.is_some() && self.stopping.has_changed().unwrap_or(true);
        self.look.is_elapsed() || stopping
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Call> {
        self.armed = true;
        if self.look.as_mut().poll(cx).is_ready() {
            self.look.as_mut().reset(Instant::now() + self.every);
            self.armed = false;
            return Poll::Ready(Call::Look);
        }
        if let Some(stop) = &mut self.stop
            && stop.as_mut().poll(cx).is_ready()
        {
            let stage = *self.stopping.borrow_and_update();
            self.stop = (stage != Stage::Closing).then(|| changed(&self.stopping));
            self.armed = false;
            return Poll::Ready(Call::Stop(stage));
        }
        Poll::Pending
    }
}

fn changed(stopping: &watch::Receiver<Stage>) -> Changed {
    let mut changing = stopping.clone();
    Box::pin(async move {
        // The sender outlives the connections.
        let _ = changing.changed().await;
    })
}
