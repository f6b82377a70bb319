//! What the servers of the comparison share: the services' own model and JSON over
//! hyper, so that only the storage differs.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rest::Resource;
use store::{IdGenerator, ObjectId};
use tokio::net::TcpListener;

/// The arguments of a program, as numbers or texts.
pub fn argument<T: std::str::FromStr>(number: usize, what: &str) -> T {
    let text = std::env::args().nth(number).unwrap_or_else(|| panic!("argument {number}: {what}"));
    text.parse().unwrap_or_else(|_| panic!("argument {number} must be {what}, not {text}"))
}

/// Where the documents go.
pub trait Documents: Send + Sync + 'static {
    /// Stores a document durably.
    fn insert(&self, id: ObjectId, document: Bytes) -> impl Future<Output = ()> + Send;
    /// Reads one.
    fn get(&self, id: ObjectId) -> impl Future<Output = Option<Bytes>> + Send;
}

/// Serves `POST` to a collection and `GET` of one of its resources from `documents`.
pub async fn serve<R: Resource>(port: u16, documents: impl Documents) {
    let documents = Arc::new(documents);
    let ids = Arc::new(IdGenerator::new().expect("randomness"));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a TCP connection");
        let (documents, ids) = (Arc::clone(&documents), Arc::clone(&ids));
        tokio::spawn(async move {
            let service = service_fn(|request| async {
                Ok::<_, Infallible>(answer::<R>(request, &*documents, &ids).await)
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer<R: Resource>(
    request: Request<Incoming>,
    documents: &impl Documents,
    ids: &IdGenerator,
) -> Response<Full<Bytes>> {
    let below = request.uri().path().strip_prefix('/').and_then(|it| it.strip_prefix(R::COLLECTION));
    let id = below.and_then(|below| below.strip_prefix('/')).and_then(|id| id.parse().ok());
    let (status, body) = match (request.method(), id) {
        (&Method::GET, Some(id)) => match documents.get(id).await {
            Some(document) => (200, document),
            None => (404, Bytes::new()),
        },
        (&Method::POST, None) => {
            let body = request.into_body().collect().await.expect("a body").to_bytes();
            let id = ids.next();
            let document = Bytes::from(R::from_body(&body).expect("a resource").document(id));
            documents.insert(id, document.clone()).await;
            (201, document)
        }
        _ => (405, Bytes::new()),
    };
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(Full::new(body)).expect("a valid answer")
}
