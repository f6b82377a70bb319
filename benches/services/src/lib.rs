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
use store::{Document, Facts, IdGenerator, ObjectId, SearchFacts, hex};
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

/// A valid event.
pub const EVENT: &str = include_str!("../event.json");
/// A valid notification.
pub const NOTIFICATION: &str = r#"{"subject": "About an event",
    "content": "The event that you asked about begins soon.", "to_mail": "a@example.org",
    "scheduled_time": "2999-01-01T00:00:00"}"#;

/// A document and what follows from it.
pub type Row = (Document, Facts);

/// So many rows of one resource.
pub fn rows<R: Resource>(body: &str, count: usize) -> Vec<Row> {
    let ids = IdGenerator::new().expect("randomness");
    let resource = R::from_body(body.as_bytes()).expect("a resource");
    let row = |_| {
        let id = ids.next();
        (Document::new(id, resource.document(id)), resource.facts())
    };
    (0..count).map(row).collect()
}

/// The tokens that find a document, as the store makes them.
pub fn tokens(facts: &SearchFacts) -> String {
    let mut tokens: Vec<_> = facts.words.iter().map(|word| format!("w{word}")).collect();
    tokens.extend(facts.place.iter().map(|word| format!("p{word}")));
    tokens.extend(facts.topics.iter().map(|topic| format!("t{}", hex::of(topic.as_bytes()))));
    tokens.sort_unstable();
    tokens.dedup();
    tokens.join(" ")
}

/// An event of words, the same for the same number.
pub fn words(n: u64) -> Vec<u8> {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |most: u64| {
        // xorshift64*: all that matters is that it has no short pattern.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % most
    };
    const SYLLABLES: [&str; 20] = [
        "ba", "cor", "den", "fi", "gra", "hel", "jo", "ka", "lum", "mer", "no", "pra", "quin", "ro", "sta",
        "tir", "ul", "va", "wen", "zo",
    ];
    let word = |number: u64| {
        let part = |at: u32| SYLLABLES[(number / 20_u64.pow(at) % 20) as usize];
        format!("{}{}{}", part(0), part(1), part(2))
    };
    let mut text = |count: u64| {
        let words: Vec<_> = (0..count).map(|_| word(below(8000))).collect();
        words.join(" ")
    };
    let (title, description, place) = (text(3), text(30), text(2));
    let (year, month, day) = (below(10) + 2020, below(12) + 1, below(28) + 1);
    serde_json::json!({
        "title": title,
        "description": description,
        "date": format!("{year}-{month:02}-{day:02}"),
        "time": format!("{:02}:30:00", below(24)),
        "place": place,
        "organizer": "",
        "topics": format!("topic{}, topic{}", below(200), below(200)),
    })
    .to_string()
    .into_bytes()
}
