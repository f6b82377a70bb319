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

use super::calls::{Call, Calls, Stage};
use super::progress::{Progress, Watched};
use super::refusal;

/// How often it is looked whether a connection got on, within the time it has.
const LOOKS: u32 = 8;

const MESSAGE: &str = "The request's head did not arrive in time.";

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By one side's will, or because the client vanished.
    Closed,
    /// The client sent what is no HTTP, or a head that is too large.
    Malformed,
    /// Nothing happened for too long.
    TimedOut,
}

/// A connection to a client.
pub(super) struct Connection<S: HttpService<Incoming>> {
    http: http1::Connection<TokioIo<Watched>, S>,
    progress: Arc<Progress>,
}

/// A connection whose requests `handle` answers.
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
    let seen = Arc::clone(&progress);
    let service = service_fn(move |request| seen.work(handle(request, peer)));
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&progress)));
    Connection { http: http.serve_connection(io, service), progress }
}

impl<S, B> Connection<S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Serves requests until either side closes the connection, nothing happens for
    /// `idle`, or the server stops.
    pub(super) async fn run(mut self, idle: Duration, stopping: watch::Receiver<Stage>) -> End {
        let mut calls = Calls::new(idle / LOOKS, stopping);
        let (mut seen, mut unchanged) = (None, 0);
        loop {
            match calls.or(|cx| Pin::new(&mut self.http).poll(cx)).await {
                Ok(result) => return end(&result),
                Err(Call::Stop(Stage::Closing)) => Pin::new(&mut self.http).graceful_shutdown(),
                Err(Call::Stop(_)) => self.progress.leave(),
                Err(Call::Look) => {
                    let now = self.progress.read();
                    unchanged = if now.is_some() && now == seen { unchanged + 1 } else { 0 };
                    seen = now;
                    if unchanged >= LOOKS {
                        self.time_out().await;
                        return End::TimedOut;
                    }
                }
            }
        }
    }

    /// Tells a client that has begun a request why it ends; an idle one needs no
    /// telling.
    async fn time_out(self) {
        let parts = self.http.into_parts();
        if !parts.read_buf.is_empty() {
            let stream = parts.io.into_inner().into_inner();
            refusal::say(stream, StatusCode::REQUEST_TIMEOUT, MESSAGE).await;
        }
    }
}

fn end(result: &hyper::Result<()>) -> End {
    match result {
        Err(error) if error.is_parse() => End::Malformed,
        _ => End::Closed,
    }
}
