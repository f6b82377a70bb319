//! Serves one connection from its first request to its end.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::interrupts::{Interrupt, Interrupts, Stage};
use super::progress::Progress;

/// How often the progress of a connection is checked within its idle timeout.
const CHECKS: u32 = 8;

/// Bytes a second that a client has to read while more are waiting for it, on average over the idle
/// timeout: less than any network has, and enough for nobody to hold an answer for days.
const LEAST_RATE: u64 = 1024;

/// How long a client has to learn that its idle connection is closed. With HTTP/2, it then knows
/// which requests to repeat elsewhere.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// Why the body of an answer is incomplete.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

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
    /// There was no memory for its request, and no client that held more.
    NoRoom,
}

/// A connection as a protocol serves it, until it ends for this reason.
pub(super) trait Protocol: Future<Output = CloseReason> + Unpin {
    /// How often progress is checked once the server closes connections without a request, if that
    /// may leave some open: clients of HTTP/2 have to agree, and some have vanished.
    const LAST_CHECKS: Option<Duration>;

    /// Has the connection end with the server.
    fn stop(&mut self, stage: Stage, progress: &Progress);

    /// Ends a connection that makes no progress.
    fn time_out(self) -> impl Future<Output = ()> + Send;

    /// Ends a connection for whose request there is no memory.
    fn refuse(self) -> impl Future<Output = ()> + Send;
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
        let mut reading = Reading::new(idle);
        loop {
            match interrupts.or(|cx| Pin::new(&mut self.http).poll(cx)).await {
                Ok(CloseReason::NoRoom) => {
                    self.http.refuse().await;
                    return CloseReason::NoRoom;
                }
                Ok(reason) => return reason,
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
                    if unchanged >= checks || reading.is_too_slow(self.progress.unread()) {
                        self.http.time_out().await;
                        return CloseReason::TimedOut;
                    }
                }
            }
        }
    }
}

/// How fast a client reads what is waiting for it.
struct Reading {
    /// Bytes that it has to read within the idle timeout.
    least: u64,
    /// What was written when it began to be waited for, and how many checks ago that was.
    since: Option<(u64, u32)>,
}

impl Reading {
    fn new(idle: Duration) -> Self {
        Self { least: LEAST_RATE.saturating_mul(idle.as_secs()), since: None }
    }

    /// Whether the client has read too little for as long as a connection may be idle. `written` is
    /// how much was written so far, if more is waiting.
    fn is_too_slow(&mut self, written: Option<u64>) -> bool {
        let Some(written) = written else {
            self.since = None;
            return false;
        };
        let (begin, checks) = self.since.unwrap_or((written, 0));
        if checks < CHECKS {
            self.since = Some((begin, checks + 1));
            return false;
        }
        self.since = Some((written, 1));
        written.wrapping_sub(begin) < self.least
    }
}

impl From<hyper::Result<()>> for CloseReason {
    fn from(result: hyper::Result<()>) -> Self {
        match result {
            Err(error) if error.is_parse() => Self::Malformed,
            _ => Self::Normal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waits_for_too_long_is_read_too_slowly() {
        let mut reading = Reading::new(Duration::from_secs(8));
        let mut check = |written| reading.is_too_slow(written);
        // 8 KiB in 8 checks are enough, and what waits for nobody is never too slow.
        assert!((0..100).all(|n| !check(Some(n * 1024))));
        assert!((0..7).all(|_| !check(Some(0))));
        assert!(!check(None));
        let slow: Vec<_> = (0..18).map(|n| check(Some(n * 1000))).collect();
        assert_eq!(slow.iter().position(|it| *it), Some(8));
    }
}
