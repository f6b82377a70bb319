//! Checks whether the settings of access allow a request.

use hyper::header::HeaderValue;
use hyper::{Method, Uri};

use super::headers::RequestHeaders;
use super::problem::Problem;
use super::route::Route;
use crate::access::tokens::Role;
use crate::access::{Caller, Guard};

impl Guard {
    /// Checks whether a request is allowed. `private` is whether reading needs a token.
    pub(crate) fn check(
        &self,
        route: Route,
        method: &Method,
        headers: &RequestHeaders<'_>,
        caller: Caller,
        private: bool,
    ) -> Result<(), Problem> {
        if !method.is_safe() && self.is_foreign(headers) {
            return Err(Problem::ForeignOrigin);
        }
        if self.access.is_open() {
            return Ok(());
        }
        let Some(needs) = required_role(route, method, private) else { return Ok(()) };
        match caller {
            Caller::Known { role, .. } if role >= needs => Ok(()),
            Caller::Known { .. } => Err(Problem::Forbidden { needs }),
            Caller::Unknown => Err(Problem::Unauthorized { has_token: true }),
            Caller::Anonymous => Err(Problem::Unauthorized { has_token: false }),
        }
    }

    /// Checks that a request names the host that it has reached.
    pub(crate) fn check_host(
        &self,
        headers: &RequestHeaders<'_>,
        uri: &Uri,
    ) -> Result<(), Problem> {
        let named = headers.host.map(HeaderValue::as_bytes);
        let target = uri.authority().map(|authority| authority.as_str().as_bytes());
        let misdirected = |named: &[u8]| !is_loopback(named);
        if self.loopback && named.into_iter().chain(target).any(misdirected) {
            return Err(Problem::Misdirected);
        }
        Ok(())
    }

    /// Whether a request may see what is for operators only. An invalid token is an error, so
    /// that nobody takes it for a valid one.
    pub(crate) fn sees_details(&self, caller: Caller) -> Result<bool, Problem> {
        if self.access.is_open() {
            return Ok(true);
        }
        match caller {
            Caller::Known { role, .. } => Ok(role >= Role::Admin),
            Caller::Unknown => Err(Problem::Unauthorized { has_token: true }),
            Caller::Anonymous => Ok(false),
        }
    }

    /// Whether a browser sends this from a page that may not use the service. Other programs
    /// send neither header.
    fn is_foreign(&self, headers: &RequestHeaders<'_>) -> bool {
        if headers.origin.is_some_and(|origin| self.origins.contains(origin)) {
            return false;
        }
        match headers.fetch_site.map(HeaderValue::as_bytes) {
            // Only the browser can set this header, pages cannot.
            Some(b"same-origin") => false,
            Some(b"cross-site") => true,
            _ => headers.origin.is_some_and(|origin| !is_own(origin, headers.host)),
        }
    }
}

/// The role that a request needs where access is by tokens; `None` where everybody may send it.
fn required_role(route: Route, method: &Method, private: bool) -> Option<Role> {
    match (route, method) {
        (_, &Method::OPTIONS) | (Route::Health | Route::Ready | Route::Page(_), _) => None,
        (Route::Metrics | Route::Action(..) | Route::ActionOnAll(_), _) => Some(Role::Admin),
        (Route::Collection | Route::Item(_), &Method::GET | &Method::HEAD) => {
            private.then_some(Role::Read)
        }
        (Route::OpenApi | Route::Unknown, _) => Some(Role::Read),
        (Route::Collection | Route::Item(_), _) => Some(Role::Write),
    }
}

/// Whether an origin is the host that the request was sent to. Schemes are not compared:
/// TLS may end at a proxy.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else {
        return false;
    };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    // Browsers omit the default port from both, but a proxy may add it to one.
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let bare = |text: &str| text.strip_suffix(default_port).unwrap_or(text).to_ascii_lowercase();
    bare(authority) == bare(host)
}

/// Whether `HOST` or `HOST:PORT` is a name or address of loopback.
fn is_loopback(authority: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(authority) else { return false };
    let host = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => text.split_once(':').map_or(text, |(host, _)| host),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    host.parse().map_or_else(
        |_| host.eq_ignore_ascii_case("localhost"),
        |address: std::net::IpAddr| address.is_loopback(),
    )
}

#[cfg(test)]
mod tests;
