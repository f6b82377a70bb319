use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper::{HeaderMap, StatusCode};

use super::super::answer;
use super::super::context::RequestIds;
use super::super::headers::RequestHeaders;
use super::*;
use crate::access::Access;
use crate::access::origins::Origins;

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged of a request with this result.
fn logged(method: &Method, result: Result<Answer, Problem>) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let guard = Guard { access: Access::Open, origins: Origins::new(Vec::new()), loopback: false };
    let peer: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let headers = HeaderMap::new();
    let context = RequestIds::new(1).context(&RequestHeaders::of(&headers), peer, peer.ip());
    let uri = Uri::from_static("/notifications/retry?state=failed");
    let extent = Extent::of(&result);
    let answer = result.unwrap_or_else(|problem| problem.answer());
    tracing::subscriber::with_default(subscriber, || {
        log(&guard, Caller::Anonymous, method, &uri, &context, &answer, extent);
    });
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn what_was_changed_or_may_have_been_is_logged() {
    let database = || "db".to_owned();
    let line = logged(&Method::POST, Ok(answer::json(StatusCode::ACCEPTED, "{}")));
    assert!(line.contains("audit") && line.contains("what=\"/notifications/retry\""), "{line}");
    assert!(!line.contains("made="), "{line}");
    let in_doubt = StoreError::InDoubt { database: database() };
    let line = logged(&Method::POST, Err(Problem::Store(in_doubt.clone())));
    assert!(line.contains("audit") && line.contains("made=\"in doubt\""), "{line}");
    let partly = StoreError::Partly { done: 500, cause: Box::new(in_doubt) };
    let line = logged(&Method::POST, Err(Problem::Store(partly)));
    assert!(line.contains("audit") && line.contains("made=\"in part\""), "{line}");
    let failed = StoreError::Unavailable { database: database(), reason: "gone".into() };
    assert_eq!(logged(&Method::POST, Err(Problem::Store(failed))), "");
    assert_eq!(logged(&Method::DELETE, Err(Problem::NoSuchResource)), "");
    assert_eq!(logged(&Method::GET, Ok(answer::json(StatusCode::OK, "[]"))), "");
}
