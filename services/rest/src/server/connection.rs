//! Serves one connection from its first request to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::interrupts::{Interrupt, Interrupts, Stage};
use super::progress::{Progress, TrackedStream};
use super::refusal;

/// How often the progress of a connection is checked within its idle timeout.
const CHECKS: u32 = 8;

const MESSAGE: &str = "The headers of the request did not arrive in time.";

/// Why a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// One side closed it, or the client disappeared.
    Normal,
    /// The client sent something that is not HTTP, or too large headers.
    Malformed,
    /// It made no progress for too long.
    TimedOut,
}

/// A connection to a client.
pub(super) struct Connection<S: HttpService<Incoming>> {
    http: http1::Connection<TokioIo<TrackedStream>, S>,
    progress: Arc<Progress>,
}

/// Creates a connection whose requests `handle` answers.
pub(super) fn new<H, F, B>(
    http: &http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    handle: H,
) -> Connection<
    impl HttpService<Incoming, ResBody = B, Error = Infallible, Future: Send> + use<H, F, B>,
>
where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Send,
    F: Future<Output = Response<B>> + Send,
    B: Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let progress = Arc::new(Progress::default());
    let tracker = Arc::clone(&progress);
    let service = service_fn(move |request| tracker.track(handle(request, peer)));
    let io = TokioIo::new(TrackedStream::new(stream, Arc::clone(&progress)));
    Connection { http: http.serve_connection(io, service), progress }
}

impl<S, B> Connection<S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Serves requests until either side closes the connection, it makes no progress for
    /// `idle`, or the server stops.
    pub(super) async fn run(
        mut self,
        idle: Duration,
        stage: watch::Receiver<Stage>,
    ) -> CloseReason {
        let mut interrupts = Interrupts::new(idle / CHECKS, stage);
        let (mut last, mut unchanged) = (None, 0);
        loop {
            match interrupts.or(|cx| Pin::new(&mut self.http).poll(cx)).await {
                Ok(result) => return close_reason(&result),
                Err(Interrupt::StageChanged(Stage::Closing)) => {
                    Pin::new(&mut self.http).graceful_shutdown();
                }
                Err(Interrupt::StageChanged(_)) => self.progress.close_after_next_answer(),
                Err(Interrupt::CheckProgress) => {
                    let now = self.progress.read();
                    unchanged = if now.is_some() && now == last { unchanged + 1 } else { 0 };
                    last = now;
                    if unchanged >= CHECKS {
                        self.time_out().await;
                        return CloseReason::TimedOut;
                    }
                }
            }
        }
    }

    /// Tells a client that has begun a request why its connection is closed; an idle one needs no
    /// answer.
    async fn time_out(self) {
        let parts = self.http.into_parts();
        if !parts.read_buf.is_empty() {
            let stream = parts.io.into_inner().into_inner();
            refusal::send_and_close(stream, StatusCode::REQUEST_TIMEOUT, MESSAGE).await;
        }
    }
}

fn close_reason(result: &hyper::Result<()>) -> CloseReason {
    match result {
        Err(error) if error.is_parse() => CloseReason::Malformed,
        _ => CloseReason::Normal,
    }
}
