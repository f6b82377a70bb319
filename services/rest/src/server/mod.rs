//! Accepts connections up to a limit, closes those that make no progress, and lets requests in
//! progress finish when the service stops.

mod connection;
mod interrupts;
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

use interrupts::Stage;
pub use metrics::ServerMetrics;
use refusal::Refusal;

use crate::limits::ClientLimits;

/// The limits of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The maximum number of open connections; others are answered with 503.
    pub connections: usize,
    /// How long a connection may take to send the headers of a request, may be idle between two
    /// requests, or may read nothing of an answer. It is kept within an eighth.
    pub idle: Duration,
    /// The maximum size of a request's headers, in bytes.
    pub head_bytes: usize,
    /// How long connections without a request may stay open once the server stops: each is
    /// closed after its next answer.
    pub linger: Duration,
    /// How long requests in progress may take to finish once the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            idle: Duration::from_secs(30),
            head_bytes: 16 << 10,
            linger: Duration::from_millis(300),
            drain: Duration::from_secs(10),
        }
    }
}

/// Answers requests on `listener` with `handle` until `shutdown` completes, then stops accepting
/// connections and waits for the requests in progress. Returns whether all of them finished in
/// time.
pub async fn serve<H, F, B>(
    listener: TcpListener,
    handle: H,
    limits: Limits,
    clients: Arc<ClientLimits>,
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
    // Each connection holds a receiver: the sender knows when the last one is closed.
    let (set_stage, stage) = watch::channel(Stage::Serving);
    let permits = Arc::new(Semaphore::new(limits.connections));
    let refusals = Arc::new(Semaphore::new(refusal::MAX_ANSWERED));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.head_bytes);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = &mut shutdown => break,
        };
        let admitted = clients.connect(peer.ip()).map_err(|_| Refusal::TooManyOfClient);
        let admitted = admitted.and_then(|share| {
            let permit = Arc::clone(&permits).try_acquire_owned();
            permit.map(|permit| (permit, share)).map_err(|_| Refusal::TooMany)
        });
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => {
                metrics.refused();
                refusal::refuse(stream, refusal, &refusals);
                continue;
            }
        };
        let open = metrics.open();
        let connection = connection::new(&http, stream, peer, handle.clone());
        let stage = stage.clone();
        tokio::spawn(async move {
            open.closed(connection.run(limits.idle, stage).await);
            drop(admitted);
        });
    }
    drop((listener, stage));
    set_stage.send_replace(Stage::Draining);
    if tokio::time::timeout(limits.linger, set_stage.closed()).await.is_ok() {
        return true;
    }
    set_stage.send_replace(Stage::Closing);
    tokio::time::timeout(limits.drain, set_stage.closed()).await.is_ok()
}

/// Accepts a connection. Errors that are not the listener's are retried: a client that has left
/// already, or a process that has no file descriptor left.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are written in one piece: waiting for more data would delay them.
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
