//! Connections inside TLS, of HTTP/2 above all.

use std::time::Instant;

use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

const BODY: usize = 8 << 20;

/// A server inside TLS. It answers `/slow` after `slow`, and `/long` with many bytes.
struct Secure {
    address: SocketAddr,
    connector: TlsConnector,
    metrics: ServerMetrics,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<bool>,
}

/// The two sides of TLS, which trust each other and prefer a protocol.
fn sides(protocol: &[u8]) -> (TlsAcceptor, TlsConnector) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["a.test".into()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let certificate = certificate.der().clone();
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let mut server = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    server.alpn_protocols = [HTTP2_PROTOCOL, b"http/1.1", CHALLENGE_PROTOCOL].map(Vec::from).into();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let builder = ClientConfig::builder_with_provider(provider);
    let mut client = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![protocol.to_vec()];
    (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)))
}

impl Secure {
    async fn start(protocol: &[u8], limits: Limits, slow: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, connector) = sides(protocol);
        let (stop, stopped) = oneshot::channel();
        let handle = move |request: Request<Incoming>, _| async move {
            let body = match request.uri().path() {
                "/long" => vec![0; BODY],
                "/slow" => {
                    tokio::time::sleep(slow).await;
                    b"done".to_vec()
                }
                _ => request.headers()["host"].as_bytes().to_vec(),
            };
            Response::new(Full::new(Bytes::from(body)))
        };
        let metrics = ServerMetrics::default();
        let server = Server::new(limits, Arc::new(ClientLimits::none()), metrics.clone());
        let shutdown = async { drop(stopped.await) };
        let transport = Transport::Tls(acceptor);
        let server =
            tokio::spawn(async move { server.serve(listener, transport, handle, shutdown).await });
        Self { address, connector, metrics, stop: Some(stop), server }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        self.connector.connect(ServerName::try_from("a.test").unwrap(), stream).await.unwrap()
    }

    /// A client of HTTP/2, and what completes when its connection is closed.
    async fn client(&self) -> (SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
        let mut builder = Builder::new(TokioExecutor::new());
        // It keeps its connection alive as far as it can.
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_millis(5))
            .keep_alive_while_idle(true)
            .initial_stream_window_size(64 << 10)
            .initial_connection_window_size(64 << 10);
        let stream = TokioIo::new(self.connect().await);
        let (sender, connection) = builder.handshake(stream).await.unwrap();
        (sender, tokio::spawn(connection))
    }

    /// Waits until so many are counted: a client may see the end of its connection first.
    async fn wait_for(&self, name: &str, count: u64) {
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(self.metrics.clone()));
        let sample = format!("{name} {count}");
        loop {
            let mut text = String::new();
            crate::metrics::encode(&mut text, &registry);
            if text.lines().any(|line| line == sample) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("https://a.test{path}")).body(Empty::new()).unwrap()
}

fn idle(milliseconds: u64) -> Limits {
    Limits { idle: Duration::from_millis(milliseconds), ..Limits::default() }
}

#[tokio::test]
async fn requests_of_http2_have_a_host() {
    let server = Secure::start(HTTP2_PROTOCOL, Limits::default(), Duration::ZERO).await;
    let (mut client, _) = server.client().await;
    let answer = client.send_request(get("/")).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "a.test");
}

#[tokio::test]
async fn http1_is_served_inside_tls_and_slow_requests_are_answered_408() {
    let server = Secure::start(b"http/1.1", idle(80), Duration::ZERO).await;
    for (sent, status) in [(&b""[..], ""), (b"GET / HT", "408"), (REQUEST, "200")] {
        let mut stream = server.connect().await;
        stream.write_all(sent).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text.get(9..12).unwrap_or_default(), status, "{text}");
    }
}

#[tokio::test]
async fn the_end_of_an_answer_is_sent_however_slowly_it_is_read() {
    // So little memory that a connection gives its buffers back as soon as it can.
    let limits = Limits { memory: 128 << 10, ..Limits::default() };
    let secure = Secure::start(b"http/1.1", limits, Duration::ZERO).await;
    let mut client = secure.connect().await;
    client.write_all(b"GET /long HTTP/1.1\r\nHost: a.test\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let is_whole = |answer: &[u8]| {
        let end = answer.windows(4).take(1024).position(|part| part == b"\r\n\r\n");
        end.is_some_and(|end| answer.len() == end + 4 + BODY)
    };
    while !is_whole(&answer) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let read = client.read_buf(&mut answer);
        let read = tokio::time::timeout(Duration::from_secs(20), read).await;
        assert!(read.expect("the rest is sent").unwrap() > 0, "{} bytes", answer.len());
    }
}

#[tokio::test]
async fn pings_keep_no_connection_open() {
    let server = Secure::start(HTTP2_PROTOCOL, idle(200), Duration::ZERO).await;
    let begin = Instant::now();
    let (mut client, connection) = server.client().await;
    client.send_request(get("/")).await.unwrap().into_body().collect().await.unwrap();
    // The server says that it goes before it goes.
    connection.await.unwrap().unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(175));
    server.wait_for("eventpost_connections_timed_out_total", 1).await;
}

#[tokio::test]
async fn a_client_of_http2_that_reads_nothing_is_closed_and_a_slow_one_is_not() {
    let server = Secure::start(HTTP2_PROTOCOL, idle(400), Duration::ZERO).await;
    let (mut client, connection) = server.client().await;
    let stalled = client.send_request(get("/long")).await.unwrap();
    assert!(connection.await.unwrap().is_ok() || stalled.collect().await.is_err());
    let (mut client, _connection) = server.client().await;
    let mut body = client.send_request(get("/long")).await.unwrap().into_body();
    let (begin, mut length) = (Instant::now(), 0);
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().into_data().unwrap().len();
        if begin.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert_eq!(length, BODY);
    assert!(begin.elapsed() >= Duration::from_secs(2));
}

#[tokio::test]
async fn a_slow_answer_of_http2_is_awaited_and_others_overtake_it() {
    let server = Secure::start(HTTP2_PROTOCOL, idle(40), Duration::from_millis(400)).await;
    let (mut client, _connection) = server.client().await;
    let slow = tokio::spawn(client.send_request(get("/slow")));
    for _ in 0..10 {
        assert_eq!(client.send_request(get("/")).await.unwrap().status(), StatusCode::OK);
    }
    assert!(!slow.is_finished());
    let answer = slow.await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "done");
}

#[tokio::test]
async fn requests_of_http2_at_the_same_time_count_as_connections() {
    let limits = Limits { connections: 3, ..Limits::default() };
    let server = Secure::start(HTTP2_PROTOCOL, limits, Duration::from_millis(300)).await;
    let (mut client, _connection) = server.client().await;
    let get = |client: &mut SendRequest<_>, path| tokio::spawn(client.send_request(get(path)));
    for _ in 0..2 {
        let all = [(); 4].map(|()| get(&mut client, "/slow"));
        let mut statuses = Vec::new();
        for answer in all {
            let answer = answer.await.unwrap().unwrap();
            statuses.push(answer.status().as_u16());
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body == "done", statuses.last() == Some(&200), "{body:?}");
        }
        assert_eq!(statuses, [200, 200, 200, 503]);
    }
    // Answers that nobody reads count until they are gone.
    let mut unread = Vec::new();
    for _ in 0..3 {
        unread.push(client.send_request(self::get("/long")).await.unwrap());
    }
    assert_eq!(client.send_request(self::get("/")).await.unwrap().status(), 503);
    drop(unread);
    while client.send_request(self::get("/")).await.unwrap().status() == 503 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn slow_and_failed_handshakes_are_closed_and_counted() {
    let limits = Limits { handshake: Duration::from_millis(80), ..Limits::default() };
    let server = Secure::start(b"unknown", limits, Duration::ZERO).await;
    for sent in [&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut read = Vec::new();
        let _ = stream.read_to_end(&mut read).await;
        assert!(!String::from_utf8_lossy(&read).contains("HTTP"), "{read:?}");
    }
    server.wait_for("eventpost_connections_failed_handshakes_total", 3).await;
    server.wait_for("eventpost_connections", 0).await;
}

#[tokio::test]
async fn nothing_is_answered_to_a_challenge() {
    let server = Secure::start(CHALLENGE_PROTOCOL, Limits::default(), Duration::ZERO).await;
    let mut stream = server.connect().await;
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).await;
    assert_eq!(text, "");
}

#[tokio::test]
async fn requests_of_http2_finish_when_the_server_stops() {
    let limits = Limits { linger: Duration::ZERO, ..Limits::default() };
    let mut server = Secure::start(HTTP2_PROTOCOL, limits, Duration::from_millis(300)).await;
    let (mut client, connection) = server.client().await;
    let (_idle, idle_connection) = server.client().await;
    let handshaking = TcpStream::connect(server.address).await.unwrap();
    let slow = tokio::spawn(client.send_request(get("/slow")));
    // The request must have been received before the server stops.
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.take().unwrap().send(()).unwrap();
    let answer = slow.await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "done");
    connection.await.unwrap().unwrap();
    idle_connection.await.unwrap().unwrap();
    assert!(server.server.await.unwrap());
    drop(handshaking);
}

#[tokio::test]
async fn a_client_of_http2_that_has_gone_without_a_word_delays_no_stop() {
    let limits = Limits { linger: Duration::ZERO, ..Limits::default() };
    let mut server = Secure::start(HTTP2_PROTOCOL, limits, Duration::ZERO).await;
    let mut silent = server.connect().await;
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    silent.read_exact(&mut [0; 9]).await.unwrap();
    let begin = Instant::now();
    server.stop.take().unwrap().send(()).unwrap();
    assert!(server.server.await.unwrap());
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
}
