//! Accepts connections within a limit, closes those that make no progress, and lets those at
//! work finish when the service is told to stop.

mod calls;
mod connection;
mod metrics;
mod progress;
mod refusal;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use calls::Stage;
pub use metrics::ServerMetrics;

/// What a server allows its clients.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections open at the same time; further ones are answered 503.
    pub connections: usize,
    /// How long a connection may take to send a request's head, may stay idle between
    /// two requests, or may take nothing of an answer. Looked at so many times within
    /// it that it is kept to an eighth.
    pub idle: Duration,
    /// The size of a request's head, in bytes.
    pub head_bytes: usize,
    /// How long connections without a request may stay once the server is told to stop:
    /// those with one close with its answer.
    pub linger: Duration,
    /// How long requests at work have to finish once the server is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            idle: Duration::from_secs(30),
            head_bytes: 16 << 10,
            linger: Duration::from_millis(300),
            drain: Duration::from_secs(10),
        }
    }
}

/// Answers requests on `listener` with `handle` until `shutdown` completes, then
/// stops accepting and waits for the requests at work. Returns whether all of them
/// finished in time.
pub async fn serve<H, F, B>(
    listener: TcpListener,
    handle: H,
    limits: Limits,
    metrics: ServerMetrics,
    shutdown: impl Future<Output = ()>,
) -> bool
where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // Each connection holds a receiver: the sender knows when the last has ended.
    let (stop, stopping) = watch::channel(Stage::Serving);
    let places = Arc::new(Semaphore::new(limits.connections));
    let refusals = Arc::new(Semaphore::new(refusal::AT_ONCE));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.head_bytes);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = &mut shutdown => break,
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            metrics.refused();
            refusal::refuse(stream, &refusals);
            continue;
        };
        let open = metrics.open();
        let connection = connection::new(&http, stream, peer, handle.clone());
        let stopping = stopping.clone();
        tokio::spawn(async move {
            open.ended(connection.run(limits.idle, stopping).await);
            drop(place);
        });
    }
    drop((listener, stopping));
    stop.send_replace(Stage::Leaving);
    if tokio::time::timeout(limits.linger, stop.closed()).await.is_ok() {
        return true;
    }
    stop.send_replace(Stage::Closing);
    tokio::time::timeout(limits.drain, stop.closed()).await.is_ok()
}

/// Accepts a connection, riding out what is not the listener's fault: a client that
/// gave up in the backlog, or a process out of file descriptors.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are written at once, in one piece: waiting for more to send
                // would only delay them.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
