//! This module owns connections: accepting them within a limit, timing out the idle
//! ones, and letting those at work finish when the service is told to stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// What a server allows its clients.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections open at the same time; further ones wait in the system's backlog.
    pub connections: usize,
    /// How long a connection may take to send a request's head, or stay idle
    /// between two requests.
    pub header_timeout: Duration,
    /// The size of a request's head, in bytes.
    pub header_bytes: usize,
    /// How long requests at work have to finish once the server is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            header_timeout: Duration::from_secs(30),
            header_bytes: 16 << 10,
            drain: Duration::from_secs(10),
        }
    }
}

/// Answers requests on `listener` with `handle` until `shutdown` completes, then
/// stops accepting and waits for the requests at work. Returns whether all of them
/// finished in time.
pub async fn serve<H, F>(
    listener: TcpListener,
    handle: H,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> bool
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            // It fails only once the semaphore is closed, and nobody closes it.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (accept(&listener).await, place)
        };
        let (stream, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        let handle = handle.clone();
        let service = service_fn(move |request| {
            let answer = handle(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // Clients that vanish or send nonsense are their own business.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_ok()
}

/// Accepts a connection, riding out what is not the listener's fault: a client that
/// gave up in the backlog, or a process out of file descriptors.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are written at once, in one piece: waiting for more to send
                // would only delay them.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    /// A server that answers `slow` after that time, and the sender that stops it.
    async fn start(
        limits: Limits,
        slow: Duration,
    ) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let handle = move |_| async move {
            tokio::time::sleep(slow).await;
            Response::new(Full::new(Bytes::from_static(b"done")))
        };
        let shutdown = async { drop(stopped.await) };
        let server = tokio::spawn(async move { serve(listener, handle, limits, shutdown).await });
        (address, stop, server)
    }

    async fn read_to_end(mut stream: TcpStream) -> String {
        let mut text = String::new();
        // A connection that the server resets has nothing more to say either.
        let _ = stream.read_to_string(&mut text).await;
        text
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n";

    #[tokio::test]
    async fn slow_and_idle_connections_are_closed() {
        let limits = Limits { header_timeout: Duration::from_millis(100), ..Limits::default() };
        let (address, _stop, _server) = start(limits, Duration::ZERO).await;
        for sent in [&b""[..], b"GET / HT", REQUEST] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent).await.unwrap();
            let text = read_to_end(stream).await;
            assert_eq!(text.contains("done"), sent == REQUEST, "{text}");
        }
    }

    #[tokio::test]
    async fn a_connection_over_the_limit_waits_for_its_turn() {
        let limits = Limits { connections: 1, ..Limits::default() };
        let (address, _stop, _server) = start(limits, Duration::ZERO).await;
        let first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(REQUEST).await.unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(100), second.readable()).await;
        assert!(waited.is_err(), "the second connection was served beside the first");
        drop(first);
        let mut answer = [0; 15];
        second.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }

    #[tokio::test]
    async fn requests_at_work_finish_unless_they_take_too_long() {
        for (drain, finishes) in [(Duration::from_secs(60), true), (Duration::ZERO, false)] {
            let limits = Limits { drain, ..Limits::default() };
            let (address, stop, server) = start(limits, Duration::from_millis(300)).await;
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(REQUEST).await.unwrap();
            // The request must have been accepted before the server is told to stop.
            tokio::time::sleep(Duration::from_millis(100)).await;
            stop.send(()).unwrap();
            assert_eq!(server.await.unwrap(), finishes);
            if finishes {
                assert!(read_to_end(stream).await.contains("done"));
            }
        }
    }
}
