//! Finds the headers of a request that matter here, in one pass, since most requests have none
//! of them.

use hyper::header::{
    AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, ORIGIN,
};

/// Names a request; taken over from the client, or made here.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where the page that a browser sends a request from is, seen from here
/// (<https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The trace that a request is part of, in W3C's format.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found<'a> {
    /// How many `Host` headers there are.
    pub(crate) hosts: usize,
    /// The last of them.
    pub(crate) host: Option<&'a HeaderValue>,
    /// Whose request it is; of two such headers the last counts.
    pub(crate) authorization: Option<&'a HeaderValue>,
    pub(crate) fetch_site: Option<&'a HeaderValue>,
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
                found.host = Some(value);
            } else if name == AUTHORIZATION {
                found.authorization = Some(value);
            } else if name == FETCH_SITE {
                found.fetch_site = Some(value);
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
