//! Connections that are slow, idle, too many, or busy when the server stops.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use bytes::Bytes;
use http_body_util::Full;

use super::*;

mod secure;

/// A server that answers `slow` after that time, and the sender that stops it.
async fn start(
    limits: Limits,
    slow: Duration,
) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let handle = move |_, _| async move {
        tokio::time::sleep(slow).await;
        Response::new(Full::new(Bytes::from_static(b"done")))
    };
    let shutdown = async { drop(stopped.await) };
    let server = tokio::spawn(async move {
        let clients = Arc::new(ClientLimits::none());
        let server = Server::new(limits, clients, ServerMetrics::default());
        server.serve(listener, Transport::Plain, handle, shutdown).await
    });
    (address, stop, server)
}

async fn read_to_end(mut stream: TcpStream) -> String {
    let mut text = String::new();
    // The server may also reset the connection.
    let _ = stream.read_to_string(&mut text).await;
    text
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n";

#[tokio::test]
async fn slow_and_idle_connections_are_closed() {
    let limits = Limits { idle: Duration::from_millis(80), ..Limits::default() };
    let (address, _stop, _server) = start(limits, Duration::ZERO).await;
    for (sent, status) in [(&b""[..], ""), (b"GET / HT", "408"), (REQUEST, "200")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let text = read_to_end(stream).await;
        assert_eq!(text.get(9..12).unwrap_or_default(), status, "{text}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_not_mistaken_for_a_slow_client() {
    let limits = Limits { idle: Duration::from_millis(40), ..Limits::default() };
    let (address, _stop, _server) = start(limits, Duration::from_millis(400)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    assert!(read_to_end(stream).await.contains("done"));
}

#[tokio::test]
async fn a_connection_over_the_limit_is_answered_with_503() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let (address, _stop, _server) = start(limits, Duration::ZERO).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(REQUEST).await.unwrap();
    first.read_exact(&mut [0; 15]).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(REQUEST).await.unwrap();
    let text = read_to_end(second).await;
    assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{text}");
    assert!(text.contains("\r\nretry-after: 10\r\n"), "{text}");
    drop(first);
    loop {
        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(REQUEST).await.unwrap();
        let mut status = [0; 15];
        third.read_exact(&mut status).await.unwrap();
        // Until the server has noticed that the first one is closed.
        if &status == b"HTTP/1.1 200 OK" {
            break;
        }
    }
}

#[tokio::test]
async fn requests_in_progress_finish_unless_they_take_too_long() {
    for (drain, finishes) in [(Duration::from_secs(60), true), (Duration::ZERO, false)] {
        let limits = Limits { linger: Duration::ZERO, drain, ..Limits::default() };
        let (address, stop, server) = start(limits, Duration::from_millis(300)).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        // The request must have been received before the server stops.
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.send(()).unwrap();
        assert_eq!(server.await.unwrap(), finishes);
        if finishes {
            assert!(read_to_end(stream).await.contains("done"));
        }
    }
}
