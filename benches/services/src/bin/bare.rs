//! A hyper server that answers every request with the same bytes: as fast as this
//! stack can be. Arguments: PORT BYTES.

use std::convert::Infallible;

use bench_services::argument;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() {
    let (port, bytes): (u16, usize) = (argument(1, "PORT"), argument(2, "BYTES"));
    let body = Bytes::from("x".repeat(bytes));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a TCP connection");
        let body = body.clone();
        tokio::spawn(async move {
            let service = service_fn(move |_| {
                let mut answer = Response::new(Full::new(body.clone()));
                let json = HeaderValue::from_static("application/json");
                answer.headers_mut().insert(CONTENT_TYPE, json);
                async { Ok::<_, Infallible>(answer) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
