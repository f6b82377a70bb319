//! The origins whose pages may use a service from within a browser
//! (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>).

use std::str::FromStr;

use hyper::Method;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, VARY,
};
use url::Url;

/// The headers that requests may have besides those that CORS always allows.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, if-match, if-none-match, traceparent, x-request-id",
);
/// The headers of answers that pages may read besides those that CORS always allows.
const RESPONSE_HEADERS: HeaderValue =
    HeaderValue::from_static("etag, link, location, retry-after, x-request-id");
/// For how many seconds a browser may cache the answer to a preflight request.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origin of a page: scheme, host and port, as browsers send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// The origins whose pages may use the service.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<Origin>);

/// How the origin of a request affects its answer.
#[derive(Debug, Clone)]
pub(crate) enum Cors {
    /// No other origin is allowed: the answer has no headers about it.
    Off,
    /// The request's origin is not allowed, but others are.
    NotAllowed,
    /// The request's origin is allowed.
    Allowed(HeaderValue),
}

/// A URL to which paths are appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// As browsers write it, in ASCII, without a slash at the end.
    pub url: String,
    /// Its origin.
    pub origin: Origin,
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = Url::parse(text).ok();
        let found = parsed.and_then(|url| Some((Origin::of(&url)?, url)));
        let (origin, url) = found.ok_or("must be a URL like https://events.example.org")?;
        Ok(Self { url: url.as_str().trim_end_matches('/').to_owned(), origin })
    }
}

impl Origin {
    /// The origin of a URL to which paths are appended: `http` or `https`, without a user, a
    /// query or a fragment.
    pub fn of_base_url(url: &str) -> Option<Self> {
        Self::of(&Url::parse(url).ok()?)
    }

    fn of(url: &Url) -> Option<Self> {
        let has_user = !url.username().is_empty() || url.password().is_some();
        let is_base = url.query().is_none() && url.fragment().is_none() && !has_user;
        if !is_base || !["http", "https"].contains(&url.scheme()) {
            return None;
        }
        let origin = url.origin().ascii_serialization();
        // A host name may contain characters that separate words in a content security policy.
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]/".contains(&b);
        let is_safe = origin.bytes().all(is_plain);
        is_safe.then(|| HeaderValue::from_str(&origin).ok().map(Self))?
    }

    /// The text, like `https://events.example.org:8443`.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A URL without a path has the path `/`.
        let has_no_path = |url: &Url| url.path() == "/" && !text.ends_with('/');
        let url = Url::parse(text).ok().filter(has_no_path);
        let origin = url.as_ref().and_then(Self::of);
        origin.ok_or_else(|| {
            "must be scheme, host and port of a page, like https://events.example.org".into()
        })
    }
}

impl Origins {
    /// A list of allowed origins.
    pub fn new(origins: Vec<Origin>) -> Self {
        Self(origins)
    }

    /// Whether the pages of an origin may use the service.
    pub(crate) fn contains(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|known| known.0 == *origin)
    }

    /// How the origin of a request affects its answer.
    pub(crate) fn cors(&self, origin: Option<&HeaderValue>) -> Cors {
        if self.0.is_empty() {
            return Cors::Off;
        }
        match origin.filter(|origin| self.contains(origin)) {
            Some(origin) => Cors::Allowed(origin.clone()),
            None => Cors::NotAllowed,
        }
    }
}

impl Cors {
    /// Adds to an answer which pages may read it. `allow` are the methods of the path.
    pub(crate) fn add_headers(self, method: &Method, allow: &'static str, headers: &mut HeaderMap) {
        if matches!(self, Self::Off) {
            return;
        }
        headers.append(VARY, HeaderValue::from_static("origin"));
        let Self::Allowed(origin) = self else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if method == Method::OPTIONS {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allow));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        } else {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_as_browsers_send_it() {
        for (text, origin) in [
            ("https://events.example.org", "https://events.example.org"),
            ("http://Events.example.org:80", "http://events.example.org"),
            ("https://events.example.org:443", "https://events.example.org"),
            ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().as_str(), origin);
        }
        for bad in [
            "",
            "*",
            "null",
            "events.example.org",
            "ftp://events.example.org",
            "https://events.example.org/",
            "https://events.example.org/page",
            "https://events.example.org?x",
            "https://events.example.org#x",
            "https://user@events.example.org",
            "https://a;script-src",
            "https://a'self'",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_allowed_origins_get_the_headers() {
        let origins = Origins::new(vec!["http://a.org".parse().unwrap()]);
        let added = |origins: &Origins, origin: Option<&'static str>| {
            let origin = origin.map(HeaderValue::from_static);
            let mut headers = HeaderMap::new();
            origins.cors(origin.as_ref()).add_headers(&Method::GET, "GET", &mut headers);
            (headers.contains_key(VARY), headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned())
        };
        let allowed = Some(HeaderValue::from_static("http://a.org"));
        assert_eq!(added(&origins, Some("http://a.org")), (true, allowed));
        for other in ["http://b.org", "https://a.org", "http://a.org:81", "null"] {
            assert_eq!(added(&origins, Some(other)), (true, None), "{other}");
        }
        assert_eq!(added(&origins, None), (true, None));
        assert_eq!(added(&Origins::default(), Some("http://a.org")), (false, None));
    }
}
