//! The context of a request: its sender, and the ids that identify it in logs.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use hyper::header::HeaderValue;

use super::headers::RequestHeaders;
use super::problem::Problem;

/// The longest request id that is accepted from a client.
const MAX_ID_LENGTH: usize = 64;

/// Where a request comes from, and its ids.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    /// Where the connection comes from.
    pub(crate) peer: SocketAddr,
    /// Where the request comes from: the client that a trusted proxy names, or the peer.
    pub(crate) client: IpAddr,
    /// The request's id: visible ASCII.
    pub(crate) id: HeaderValue,
    /// A valid `traceparent`.
    pub(crate) trace: Option<HeaderValue>,
}

impl RequestContext {
    pub(crate) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// The trace's own id, 32 hexadecimal digits.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.trace.as_ref()?.to_str().ok()?.get(3..35)
    }

    /// Logs why the request failed, if that is the service's fault.
    pub(crate) fn log(&self, problem: &Problem) {
        if let Problem::Store(error) = problem {
            tracing::error!(%error, request_id = self.id(), "the store failed");
        }
    }
}

/// Generates ids for requests that have none.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// Differs between processes, so that ids of two runs or services do not collide.
    process: u32,
    next: AtomicU32,
}

impl RequestIds {
    pub(crate) fn new(process: u32) -> Self {
        Self { process, next: AtomicU32::new(0) }
    }

    pub(crate) fn context(
        &self,
        headers: &RequestHeaders<'_>,
        peer: SocketAddr,
        client: IpAddr,
    ) -> RequestContext {
        let received = headers.request_id.filter(|id| is_request_id(id.as_bytes()));
        let trace = headers.traceparent.filter(|trace| is_traceparent(trace.as_bytes()));
        let id = received.cloned().unwrap_or_else(|| self.generate());
        RequestContext { peer, client, id, trace: trace.cloned() }
    }

    fn generate(&self) -> HeaderValue {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let mut digits = [0; 16];
        store::hex::write(&self.process.to_be_bytes(), &mut digits[..8]);
        store::hex::write(&count.to_be_bytes(), &mut digits[8..]);
        HeaderValue::from_bytes(&digits).expect("digits are visible ASCII")
    }
}

/// Whether an id is short, and safe wherever it is printed.
fn is_request_id(id: &[u8]) -> bool {
    (1..=MAX_ID_LENGTH).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
}

/// `00-<trace id>-<parent id>-<flags>` in lowercase hexadecimal, ids not all zero
/// (<https://www.w3.org/TR/trace-context/#traceparent-header>). Later versions may
/// append more.
fn is_traceparent(value: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let id = |part: &[u8]| hex(part) && part.iter().any(|b| *b != b'0');
    let Some((known, rest)) = value.split_at_checked(55) else { return false };
    let dashes = known[2] == b'-' && known[35] == b'-' && known[52] == b'-';
    let version = &known[..2];
    let end = if version == b"00" { rest.is_empty() } else { rest.is_empty() || rest[0] == b'-' };
    dashes
        && end
        && hex(version)
        && version != b"ff"
        && id(&known[3..35])
        && id(&known[36..52])
        && hex(&known[53..])
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderName};

    use super::super::headers::{REQUEST_ID, TRACEPARENT};
    use super::*;

    fn context(name: HeaderName, value: &'static str) -> RequestContext {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        let peer: SocketAddr = "127.0.0.1:1".parse().unwrap();
        RequestIds::new(0xabc).context(&RequestHeaders::of(&headers), peer, peer.ip())
    }

    #[test]
    fn ids_are_accepted_or_generated() {
        assert_eq!(context(REQUEST_ID, "Root=1-67891233-abc/7").id(), "Root=1-67891233-abc/7");
        for bad in ["", "two words", "\"quoted\"", "x\\n"] {
            assert_eq!(context(REQUEST_ID, bad).id(), "00000abc00000000", "{bad}");
        }
        let ids = RequestIds::new(1);
        assert_ne!(ids.generate(), ids.generate());
    }

    #[test]
    fn only_a_valid_traceparent_is_passed_on() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let found = context(TRACEPARENT, valid);
        assert_eq!(found.trace_id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(context(TRACEPARENT, bad).trace_id(), None, "{bad}");
        }
    }
}
