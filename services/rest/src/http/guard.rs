//! Lets requests in or refuses them, by what `access` is set to.

use hyper::header::HeaderValue;
use hyper::{Method, Uri};

use super::answer::Problem;
use super::headers::Found;
use super::route::Route;
use crate::access::tokens::Role;
use crate::access::{Access, Caller, Guard};

impl Guard {
    /// Lets a request in, or says why not. `private` is whether reading needs a token.
    pub(crate) fn check(
        &self,
        route: Route,
        method: &Method,
        found: &Found<'_>,
        private: bool,
    ) -> Result<(), Problem> {
        if !method.is_safe() && self.is_foreign(found) {
            return Err(Problem::ForeignOrigin);
        }
        let (Access::Tokens(tokens), Some(needs)) = (&self.access, needed(route, method, private))
        else {
            return Ok(());
        };
        match tokens.caller(found.authorization) {
            Caller::Known(role) if role >= needs => Ok(()),
            Caller::Known(_) => Err(Problem::Forbidden { needs }),
            Caller::Unknown => Err(Problem::Unauthorized { given: true }),
            Caller::Anonymous => Err(Problem::Unauthorized { given: false }),
        }
    }

    /// Whether a request is for the host that it reached.
    pub(crate) fn check_host(&self, found: &Found<'_>, uri: &Uri) -> Result<(), Problem> {
        let named = found.host.map(HeaderValue::as_bytes);
        let target = uri.authority().map(|authority| authority.as_str().as_bytes());
        let misdirected = |named: &[u8]| !is_loopback(named);
        if self.loopback && named.into_iter().chain(target).any(misdirected) {
            return Err(Problem::Misdirected);
        }
        Ok(())
    }

    /// Whether a request may see what only operators should; an invalid token is an error,
    /// so that nobody takes it for a valid one.
    pub(crate) fn sees_details(&self, found: &Found<'_>) -> Result<bool, Problem> {
        let Access::Tokens(tokens) = &self.access else { return Ok(true) };
        match tokens.caller(found.authorization) {
            Caller::Known(role) => Ok(role >= Role::Admin),
            Caller::Unknown => Err(Problem::Unauthorized { given: true }),
            Caller::Anonymous => Ok(false),
        }
    }

    /// Whether a browser sends this from a page that may not use the service. Programs
    /// send neither header.
    fn is_foreign(&self, found: &Found<'_>) -> bool {
        if found.origin.is_some_and(|origin| self.origins.has(origin)) {
            return false;
        }
        match found.fetch_site.map(HeaderValue::as_bytes) {
            // Set by the browser alone: no page can pretend it.
            Some(b"same-origin") => false,
            Some(b"cross-site") => true,
            _ => found.origin.is_some_and(|origin| !is_own(origin, found.host)),
        }
    }
}

/// The role that a request needs where tokens are wanted; none where everybody may.
fn needed(route: Route, method: &Method, private: bool) -> Option<Role> {
    match (route, method) {
        (_, &Method::OPTIONS) | (Route::Health | Route::Ready | Route::Page, _) => None,
        (Route::Metrics | Route::Action(..), _) => Some(Role::Admin),
        (Route::Collection | Route::Item(_), &Method::GET | &Method::HEAD) => {
            private.then_some(Role::Read)
        }
        (Route::Description | Route::Unknown, _) => Some(Role::Read),
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
    // A browser leaves the usual port out of both, a proxy may add it to one.
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let bare = |text: &str| text.strip_suffix(usual).unwrap_or(text).to_ascii_lowercase();
    bare(authority) == bare(host)
}

/// Whether `HOST` or `HOST:PORT` names this machine alone.
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
