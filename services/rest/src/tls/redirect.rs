//! Sends clients of plain HTTP to HTTPS.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};

use super::names::HostName;

/// What is answered to requests that are not redirected: their content has been sent without
/// protection already, and should not be sent so again.
const REFUSED: &str = "{\"error\": \"This port only redirects GET and HEAD: use https.\"}";

/// Where clients of plain HTTP are sent.
#[derive(Debug, Clone)]
pub(crate) struct Redirect(Arc<[HostName]>);

impl Redirect {
    /// Redirects to one of the names, of which there is at least one.
    pub(crate) fn new(names: &[HostName]) -> Self {
        Self(names.into())
    }

    /// Answers a request.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let target = if is_read { self.target(request) } else { None };
        let (status, name, value, body) = if let Some(target) = target {
            (StatusCode::PERMANENT_REDIRECT, LOCATION, target, "")
        } else {
            let json = HeaderValue::from_static("application/json");
            (StatusCode::FORBIDDEN, CONTENT_TYPE, json, REFUSED)
        };
        let mut answer = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
        *answer.status_mut() = status;
        answer.headers_mut().insert(name, value);
        answer
    }

    /// Where a request is sent: the same on a name of this service, whatever name it gives.
    fn target<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = host.map(|host| host.split_once(':').map_or(host, |(name, _)| name));
        let is_host =
            |name: &&HostName| host.is_some_and(|it| it.eq_ignore_ascii_case(name.as_str()));
        let name = self.0.iter().find(is_host).or(self.0.first())?;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        HeaderValue::from_str(&format!("https://{name}{path}")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect() -> Redirect {
        Redirect::new(&["a.test", "b.test"].map(|name| HostName::parse(name).unwrap()))
    }

    #[test]
    fn reads_are_sent_to_a_name_of_the_service() {
        for (host, uri, target) in [
            (Some("b.test"), "/events?q=1&p=%2F", "https://b.test/events?q=1&p=%2F"),
            (Some("B.test:80"), "/", "https://b.test/"),
            (Some("evil.test"), "/x", "https://a.test/x"),
            (Some("b.test.evil.test"), "/x", "https://a.test/x"),
            (Some("[::1]:80"), "//evil.test/x", "https://a.test//evil.test/x"),
            (None, "http://evil.test/x?y", "https://a.test/x?y"),
        ] {
            for method in [Method::GET, Method::HEAD] {
                let mut request = Request::builder().method(method).uri(uri);
                if let Some(host) = host {
                    request = request.header(HOST, host);
                }
                let answer = redirect().answer(&request.body(()).unwrap());
                assert_eq!(answer.status(), 308);
                assert_eq!(answer.headers()[LOCATION], target, "{host:?} {uri}");
            }
        }
    }

    #[test]
    fn changes_are_refused() {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let request = Request::builder().method(method).uri("/events").body(()).unwrap();
            let answer = redirect().answer(&request);
            assert_eq!(answer.status(), 403);
            assert!(!answer.headers().contains_key(LOCATION));
        }
        assert!(serde_json::from_str::<serde_json::Value>(REFUSED).unwrap()["error"].is_string());
    }
}
