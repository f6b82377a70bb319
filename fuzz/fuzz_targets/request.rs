//! Any method, path, headers and body: each request has an answer of the API's own,
//! and what it says was made can be read.

#![no_main]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use events::Event;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use libfuzzer_sys::fuzz_target;
use rest::access::origins::Origins;
use rest::access::{Access, Guard};
use rest::{
    AccessLog, Api, ApiParts, BodyLimits, ClientLimits, Content, LogFormat, LoggedRequests, NoExtension,
    Resource, ServerMetrics,
};
use store::{IdGenerator, Limits, Settings, SqliteStore};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("threads"));
static API: LazyLock<Arc<Api<Event>>> = LazyLock::new(|| {
    // The process ends without notice, and the folder stays behind in the temporary folder.
    let folder = tempfile::tempdir().expect("a folder").keep();
    let limits = Limits { max_documents: Some(10_000), ..Limits::default() };
    let settings = Settings { collection: "events", limits, facts: Event::facts_of };
    let store = SqliteStore::open(&folder, &settings).expect("an empty store");
    let log = AccessLog::start(LoggedRequests::Off, LogFormat::Text);
    let ids = IdGenerator::new().expect("randomness");
    let server = ServerMetrics::default();
    Arc::new(Api::new(ApiParts {
        store: Arc::new(store),
        ids,
        version: "0",
        bodies: BodyLimits::default(),
        access_log: log,
        server,
        writes: Arc::default(),
        guard: Arc::new(Guard {
            access: Access::Open,
            origins: Origins::default(),
            loopback: false,
        }),
        limits: Arc::new(ClientLimits::none()),
        certificate: None,
        extension: NoExtension,
    }))
});

fuzz_target!(|input: &[u8]| {
    let Some(request) = request(input) else { return };
    let asked = format!("{request:?}");
    let (status, location, body) = RUNTIME.block_on(answer(request));
    assert!(
        [200, 201, 304, 400, 403, 404, 405, 412, 413, 422, 507].contains(&status),
        "{asked} was answered {status}"
    );
    if status == 201 {
        let read = Request::get(location.expect("a place")).header("host", "t");
        let read = read.body(Full::default()).expect("a path");
        assert_eq!(RUNTIME.block_on(answer(read)), (200, None, body));
    }
});

/// The input as `METHOD PATH`, lines of headers, an empty line and the body.
fn request(input: &[u8]) -> Option<Request<Full<Bytes>>> {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let mut asked = lines.next()?.splitn(2, |byte| *byte == b' ');
    let (method, path) = (asked.next()?, asked.next()?);
    let mut request = Request::builder().method(method).uri(path);
    let mut rest = lines.next().unwrap_or_default();
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            return request.body(Full::from(rest.to_vec())).ok();
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], &line[colon + 1..]);
    }
}

async fn answer(request: Request<Full<Bytes>>) -> (u16, Option<String>, Bytes) {
    let peer = ([127, 0, 0, 1], 1).into();
    let answer: Response<Content> = API.handle(request, peer).await;
    let location = answer.headers().get("location").map(|it| it.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("nothing is damaged").to_bytes();
    (status, location, body)
}
