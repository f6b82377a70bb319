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

/// Connects from an address of loopback.
async fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// Sends a request, and returns the status of the answer.
async fn status(stream: &mut TcpStream) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    String::from_utf8_lossy(&head[9..]).into_owned()
}

#[tokio::test]
async fn the_client_with_most_connections_makes_room_for_another() {
    let limits = Limits { connections: 3, ..Limits::default() };
    let (address, _stop, _server) = start(limits, Duration::ZERO).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(connect_from("127.0.0.2", address).await);
    }
    let mut one_more = connect_from("127.0.0.2", address).await;
    assert_eq!(status(&mut one_more).await, "503");
    let mut other = connect_from("127.0.0.3", address).await;
    assert_eq!(status(&mut other).await, "200");
    // The one that has been idle longest.
    assert_eq!(held[0].read(&mut [0]).await.unwrap(), 0);
    for stream in &mut held[1..] {
        assert_eq!(status(stream).await, "200");
    }
}

async fn read_answers(stream: &mut TcpStream, count: usize) {
    let mut text = Vec::new();
    while String::from_utf8_lossy(&text).matches("done").count() < count {
        assert!(stream.read_buf(&mut text).await.unwrap() > 0, "the connection was closed");
    }
}

#[tokio::test]
async fn a_connection_without_buffers_loses_nothing() {
    // With so little memory, they are given back after each answer.
    let limits = Limits { memory: 30 << 10, ..Limits::default() };
    let (address, _stop, _server) = start(limits, Duration::ZERO).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        let text = [REQUEST, REQUEST, &REQUEST[..7]].concat();
        stream.write_all(&text).await.unwrap();
        read_answers(&mut stream, 2).await;
        stream.write_all(&REQUEST[7..]).await.unwrap();
        read_answers(&mut stream, 1).await;
    }
}

#[tokio::test]
async fn a_head_for_which_there_is_no_memory_is_answered_503() {
    let limits = Limits { memory: 40 << 10, ..Limits::default() };
    let (address, _stop, _server) = start(limits, Duration::ZERO).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: t\r\nX: ").await.unwrap();
    stream.write_all(&[b'x'; 8000]).await.unwrap();
    let text = read_to_end(stream).await;
    assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{text}");
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
