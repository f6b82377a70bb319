//! Which pages of other origins may use a service from within a browser
//! (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>).

use std::str::FromStr;

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, VARY,
};
use hyper::{Method, Uri};

/// What a request may have besides what every request may.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, if-match, if-none-match, traceparent, x-request-id",
);
/// What a page may read besides what it always may.
const ANSWER_HEADERS: HeaderValue =
    HeaderValue::from_static("etag, link, location, retry-after, x-request-id");
/// For how many seconds a browser need not ask again.
const KEPT: HeaderValue = HeaderValue::from_static("600");

/// The origin of a page: scheme, host and port, as a browser names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// The origins whose pages may use the service.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<Origin>);

/// Where a request is from, and what its answer has to say of that.
#[derive(Debug, Clone)]
pub(crate) enum From {
    /// No origin but the service's own may use it: there is nothing to say.
    Anywhere,
    /// Not from one that may, but another would be answered otherwise.
    Elsewhere,
    /// From one that may.
    Allowed(HeaderValue),
}

impl Origin {
    /// The origin of a URL.
    pub fn of(url: &Uri) -> Option<Self> {
        let scheme = url.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
        let authority = url.authority()?.as_str().to_ascii_lowercase();
        // A browser names an origin by what is left of a URL without all that is usual.
        let usual = if scheme == "http" { ":80" } else { ":443" };
        let authority = authority.strip_suffix(usual).unwrap_or(&authority);
        // What a policy would read as more than one word is no host's name.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b);
        let valid = !authority.is_empty() && authority.bytes().all(plain);
        let text = format!("{scheme}://{authority}");
        valid.then(|| HeaderValue::from_str(&text).ok().map(Self))?
    }

    /// It, as in `https://events.example.org:8443`.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = text.parse::<Uri>().ok();
        let whole = |url: &Uri| url.path() == "/" && !text.ends_with('/') && url.query().is_none();
        let origin = url.filter(whole).as_ref().and_then(Self::of);
        origin.ok_or_else(|| {
            "must be scheme, host and port of a page, like https://events.example.org".into()
        })
    }
}

impl Origins {
    /// What may be used from these.
    pub fn new(origins: Vec<Origin>) -> Self {
        Self(origins)
    }

    /// Whether pages of an origin may.
    pub(crate) fn has(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|known| known.0 == *origin)
    }

    /// Where a request is from.
    pub(crate) fn from(&self, origin: Option<&HeaderValue>) -> From {
        if self.0.is_empty() {
            return From::Anywhere;
        }
        match origin.filter(|origin| self.has(origin)) {
            Some(origin) => From::Allowed(origin.clone()),
            None => From::Elsewhere,
        }
    }
}

impl From {
    /// Says on an answer who may read it. `allow` is what the path takes.
    pub(crate) fn tell(self, method: &Method, allow: &'static str, headers: &mut HeaderMap) {
        if matches!(self, Self::Anywhere) {
            return;
        }
        headers.append(VARY, HeaderValue::from_static("origin"));
        let Self::Allowed(origin) = self else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if method == Method::OPTIONS {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allow));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, KEPT);
        } else {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_as_a_browser_names_it() {
        for (text, origin) in [
            ("https://events.example.org", "https://events.example.org"),
            ("http://Events.example.org:80", "http://events.example.org"),
            ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("http://[::1]:8080", "http://[::1]:8080"),
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
            "https://user@events.example.org",
            "https://a;script-src",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_who_may_is_told_so() {
        let origins = Origins::new(vec!["http://a.org".parse().unwrap()]);
        let told = |origins: &Origins, origin: Option<&'static str>| {
            let origin = origin.map(HeaderValue::from_static);
            let mut headers = HeaderMap::new();
            origins.from(origin.as_ref()).tell(&Method::GET, "GET", &mut headers);
            (headers.contains_key(VARY), headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned())
        };
        let allowed = Some(HeaderValue::from_static("http://a.org"));
        assert_eq!(told(&origins, Some("http://a.org")), (true, allowed));
        for other in ["http://b.org", "https://a.org", "http://a.org:81", "null"] {
            assert_eq!(told(&origins, Some(other)), (true, None), "{other}");
        }
        assert_eq!(told(&origins, None), (true, None));
        assert_eq!(told(&Origins::default(), Some("http://a.org")), (false, None));
    }
}
