//! This module owns which headers of a request matter here: they are found in one pass,
//! since most requests have none of them.

use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, ORIGIN};

/// Names a request; taken over from the client, or made here.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The trace that a request is part of, in W3C's format.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found<'a> {
    /// How many `Host` headers there are.
    pub(crate) hosts: usize,
    /// Whether the request has a condition.
    pub(crate) conditional: bool,
    /// The page that a browser is asked by, where that is of another origin.
    pub(crate) origin: Option<&'a HeaderValue>,
    pub(crate) request_id: Option<&'a HeaderValue>,
    pub(crate) traceparent: Option<&'a HeaderValue>,
}

impl<'a> Found<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            if name == HOST {
                found.hosts += 1;
            } else if name == IF_NONE_MATCH || name == IF_MATCH {
                found.conditional = true;
            } else if name == ORIGIN {
                found.origin = Some(value);
            } else if name == REQUEST_ID {
                found.request_id = Some(value);
            } else if name == TRACEPARENT {
                found.traceparent = Some(value);
            }
        }
        found
    }
}
