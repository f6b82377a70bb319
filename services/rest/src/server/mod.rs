//! Accepts connections up to a limit, closes those that make no progress, and lets requests in
//! progress finish when the service stops.
//!
//! ```text
//! transport       TCP as it is, or the handshake of TLS
//! protocol        HTTP/1.1 and HTTP/2
//! http1           a connection of HTTP/1.1, and its buffers
//! connection      serves one connection to its end
//! interrupts      what a connection is woken for besides its requests
//! progress        whether a connection makes progress, and how much memory it holds
//! level           how much that may be
//! tracked_stream  reports to it what is read and written
//! frames          the frames of HTTP/2 that are progress
//! streams         requests of HTTP/2 that are in progress at the same time
//! admission       whether one more connection may be open
//! room            the memory that connections share, and whose are closed to make room
//! refusal         answers to those that are refused
//! metrics         counts
//! ```

mod admission;
mod connection;
mod frames;
mod http1;
mod interrupts;
mod level;
mod metrics;
mod progress;
mod protocol;
mod refusal;
mod room;
mod streams;
mod tracked_stream;
mod transport;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use admission::{Admission, Admissions};
use connection::CloseReason;
use interrupts::Stage;
use level::Level;
pub use metrics::ServerMetrics;
use protocol::Protocols;
use refusal::Refusal;
use room::Costs;
use streams::Streams;
pub use transport::Transport;
pub(crate) use transport::{CHALLENGE_PROTOCOL, HTTP2_PROTOCOL};
use transport::{Secured, handshake};

use crate::limits::ClientLimits;

/// What the system may keep of an answer, of which it uses twice as much.
const SEND_BUFFER_BYTES: usize = 128 << 10;

/// The limits of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The maximum number of open connections; others are answered with 503. With HTTP/2, requests
    /// that are in progress beside another one of their connection count as connections.
    pub connections: usize,
    /// The memory that connections may hold, in bytes, without bodies and long answers. When there is
    /// none left, the client that holds most loses connections.
    pub memory: usize,
    /// How long a connection may take to send the headers of a request, may be idle between two
    /// requests, or may read nothing of an answer. It is kept within an eighth.
    pub idle: Duration,
    /// How long a client may take for the handshake of TLS.
    pub handshake: Duration,
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
            connections: 16_384,
            memory: 160 << 20,
            idle: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            head_bytes: 16 << 10,
            linger: Duration::from_millis(300),
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves on one or more listeners, which share its limits; clones do, too.
#[derive(Debug, Clone)]
pub struct Server {
    limits: Limits,
    protocols: Protocols,
    admissions: Admissions,
    metrics: ServerMetrics,
    /// One for each refused connection that may still be answered.
    refusals: Arc<Semaphore>,
}

impl Server {
    /// A server with these limits.
    pub fn new(limits: Limits, clients: Arc<ClientLimits>, metrics: ServerMetrics) -> Self {
        Self {
            limits,
            protocols: Protocols::new(limits.head_bytes),
            admissions: Admissions::new(limits, clients, metrics.clone()),
            metrics,
            refusals: Arc::new(Semaphore::new(refusal::MAX_ANSWERED)),
        }
    }

    /// Answers requests on `listener` with `handle` until `shutdown` completes, then stops
    /// accepting connections and waits for the requests in progress. Returns whether all of them
    /// finished in time.
    pub async fn serve<H, F, B>(
        self,
        listener: TcpListener,
        transport: Transport,
        handle: H,
        shutdown: impl Future<Output = ()>,
    ) -> bool
    where
        H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Unpin + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Each connection holds a receiver: the sender knows when the last one is closed.
        let (set_stage, stage) = watch::channel(Stage::Serving);
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let (stream, peer) = tokio::select! {
                accepted = accept(&listener) => accepted,
                () = &mut shutdown => break,
            };
            let (costs, level) = match &transport {
                Transport::Plain => (Costs::PLAIN, Level::Idle),
                // Of the handshake.
                Transport::Tls(_) => (Costs::SECURE, Level::Active),
            };
            match self.admissions.admit(peer, costs, level) {
                Ok(admission) => {
                    self.open(stream, peer, &transport, handle.clone(), admission, stage.clone());
                }
                Err(refusal) => self.refuse(stream, &transport, refusal),
            }
        }
        drop((listener, stage));
        set_stage.send_replace(Stage::Draining);
        if tokio::time::timeout(self.limits.linger, set_stage.closed()).await.is_ok() {
            return true;
        }
        set_stage.send_replace(Stage::Closing);
        tokio::time::timeout(self.limits.drain, set_stage.closed()).await.is_ok()
    }

    fn refuse(&self, stream: TcpStream, transport: &Transport, refusal: Refusal) {
        self.metrics.refused();
        // An answer inside TLS would cost the handshake that is refused.
        if matches!(transport, Transport::Plain) {
            refusal::refuse(stream, refusal, &self.refusals);
        }
    }

    /// Serves a connection in a task of its own.
    fn open<H, F, B>(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        transport: &Transport,
        handle: H,
        mut admission: Admission,
        stage: watch::Receiver<Stage>,
    ) where
        H: Fn(Request<Incoming>, SocketAddr) -> F + Send + Unpin + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (open, Limits { idle, handshake: time, .. }) = (self.metrics.open(), self.limits);
        let connection = admission.place.id();
        let task = match transport {
            // Without what only TLS needs, so that the task takes little memory.
            Transport::Plain => {
                let connection = self.protocols.http1(stream, peer, admission, handle);
                tokio::spawn(async move { open.closed(connection.run(idle, stage).await) })
            }
            Transport::Tls(acceptor) => {
                let (acceptor, protocols) = (acceptor.clone(), self.protocols.clone());
                let streams = Streams::new(self.admissions.clone(), peer);
                tokio::spawn(async move {
                    let secured = Box::pin(handshake(&acceptor, stream, time, stage.clone())).await;
                    let reason = match secured {
                        None => CloseReason::NoHandshake,
                        Some(Secured::Challenge) => CloseReason::Normal,
                        Some(Secured::Http1(stream)) => {
                            let http = protocols.http1(stream, peer, admission, handle);
                            http.run(idle, stage).await
                        }
                        Some(Secured::Http2(_))
                            if admission.place.set_protocol(Costs::HTTP2).is_err() =>
                        {
                            CloseReason::NoRoom
                        }
                        Some(Secured::Http2(stream)) => {
                            let http = protocols.http2(stream, peer, streams, admission, handle);
                            // It is larger than those that are there more often.
                            Box::pin(http.run(idle, stage)).await
                        }
                    };
                    open.closed(reason);
                })
            }
        };
        self.admissions.allow_eviction(connection, task.abort_handle());
    }
}

/// Accepts a connection. Errors that are not the listener's are retried: a client that has left
/// already, or a process that has no file descriptor left.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are written in one piece: waiting for more data would delay them.
                let _ = stream.set_nodelay(true);
                // What the system has taken counts as read: without a bound, it takes megabytes, and
                // slow clients seem to read nothing for minutes.
                let _ = sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES);
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
