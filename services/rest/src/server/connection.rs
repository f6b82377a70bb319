//! Serves one connection from its first request to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::interrupts::{Interrupt, Interrupts, Stage};
use super::progress::Progress;

/// How often the progress of a connection is checked within its idle timeout.
const CHECKS: u32 = 8;

/// Why a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// One side closed it, or the client disappeared.
    Normal,
    /// The client sent something that is not HTTP, or too large headers.
    Malformed,
    /// It made no progress for too long.
    TimedOut,
    /// The client and the service did not agree on a key.
    NoHandshake,
}

/// A connection as hyper serves it.
pub(super) trait Protocol: Future<Output = hyper::Result<()>> + Unpin {
    /// How often progress is checked once the server closes connections without a request, if that
    /// may leave some open: clients of HTTP/2 have to agree, and some have gone without a word.
    const LAST_CHECKS: Option<Duration>;

    /// Has the connection end with the server.
    fn stop(&mut self, stage: Stage, progress: &Progress);

    /// Ends a connection that makes no progress.
    fn time_out(self) -> impl Future<Output = ()> + Send;
}

/// A connection to a client.
pub(super) struct Connection<P> {
    http: P,
    progress: Arc<Progress>,
}

impl<P: Protocol> Connection<P> {
    pub(super) fn new(http: P, progress: Arc<Progress>) -> Self {
        Self { http, progress }
    }

    /// Serves requests until either side closes the connection, it makes no progress for
    /// `idle`, or the server stops.
    pub(super) async fn run(
        mut self,
        idle: Duration,
        stage: watch::Receiver<Stage>,
    ) -> CloseReason {
        let mut interrupts = Interrupts::new(idle / CHECKS, stage);
        let (mut last, mut unchanged, mut checks) = (None, 0, CHECKS);
        loop {
            match interrupts.or(|cx| Pin::new(&mut self.http).poll(cx)).await {
                Ok(result) => return close_reason(&result),
                Err(Interrupt::StageChanged(stage)) => {
                    self.http.stop(stage, &self.progress);
                    if let (Stage::Closing, Some(interval)) = (stage, P::LAST_CHECKS) {
                        interrupts.set_interval(interval);
                        (last, unchanged, checks) = (None, 0, 1);
                    }
                }
                Err(Interrupt::CheckProgress) => {
                    let now = self.progress.read();
                    unchanged = if now.is_some() && now == last { unchanged + 1 } else { 0 };
                    last = now;
                    if unchanged >= checks {
                        self.http.time_out().await;
                        return CloseReason::TimedOut;
                    }
                }
            }
        }
    }
}

fn close_reason(result: &hyper::Result<()>) -> CloseReason {
    match result {
        Err(error) if error.is_parse() => CloseReason::Malformed,
        _ => CloseReason::Normal,
    }
}
