//! Collects the headers of a request that matter here in one pass, since most requests have none
//! of them.

use hyper::header::{
    AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, ORIGIN,
};

/// Identifies a request; sent by the client, or generated here.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How the origin of the page that sends a request is related to this one
/// (<https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The trace that a request is part of (W3C Trace Context).
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The headers that matter here. Of two headers with the same name the last counts.
#[derive(Debug, Default)]
pub(crate) struct RequestHeaders<'a> {
    /// The number of `Host` headers.
    pub(crate) hosts: usize,
    pub(crate) host: Option<&'a HeaderValue>,
    pub(crate) authorization: Option<&'a HeaderValue>,
    pub(crate) fetch_site: Option<&'a HeaderValue>,
    /// Whether there is an `If-Match` or `If-None-Match`.
    pub(crate) conditional: bool,
    pub(crate) origin: Option<&'a HeaderValue>,
    pub(crate) request_id: Option<&'a HeaderValue>,
    pub(crate) traceparent: Option<&'a HeaderValue>,
}

impl<'a> RequestHeaders<'a> {
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
