//! Decides who may send a request: by bearer token and role, by the page that a browser
//! sends it from, and, on loopback, by the name that it was sent to.
//!
//! ```text
//! tokens   the list of tokens: who has which role, until when
//! settings access from the command line and the environment
//! origins  pages of other origins (CORS)
//! ```

pub mod origins;
mod settings;
pub mod tokens;

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::HeaderValue;
use hyper::{Method, Uri};

use crate::http::{Found, Problem, Route};
use origins::Origins;
pub use settings::{AccessArgs, AccessError, Mode};
use tokens::{Role, TokenList};

/// The longest token that is looked up, in bytes.
const LONGEST_TOKEN: usize = 512;

/// Who may use a service.
#[derive(Debug)]
pub enum Access {
    /// Everybody may do everything, as in the first EventPost.
    Open,
    /// Changes and private data need a token.
    Tokens(Tokens),
}

/// The tokens that a service accepts; they can be read again while it runs.
#[derive(Debug)]
pub struct Tokens {
    list: RwLock<TokenList>,
    /// Where they were read; none where the environment holds them.
    file: Option<PathBuf>,
}

/// Everything that decides whether a request is let in.
#[derive(Debug)]
pub struct Guard {
    /// Who may use the service.
    pub access: Access,
    /// Whose pages may.
    pub origins: Origins,
    /// Whether the service listens on loopback only. A request must then name a loopback
    /// host: any other name points here by DNS rebinding.
    pub loopback: bool,
}

/// What a request's token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// There is no token.
    Anonymous,
    /// The token is not known, or has expired.
    Unknown,
    Known(Role),
}

impl Access {
    /// Whether everybody may do everything.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// The word for it, as `ACCESS` has it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Tokens(_) => "tokens",
        }
    }

    /// Reads the tokens again. Where that fails, the previous list stays in use. Returns how many there are.
    pub fn reload(&self) -> Result<Option<usize>, AccessError> {
        let Self::Tokens(tokens) = self else { return Ok(None) };
        let Some(file) = &tokens.file else { return Ok(None) };
        let list = settings::read(file)?;
        let count = list.entries().len();
        *tokens.list.write().unwrap_or_else(PoisonError::into_inner) = list;
        Ok(Some(count))
    }
}

impl Tokens {
    pub(crate) fn new(list: TokenList, file: Option<PathBuf>) -> Self {
        Self { list: RwLock::new(list), file }
    }

    fn caller(&self, header: Option<&HeaderValue>) -> Caller {
        let Some(header) = header else { return Caller::Anonymous };
        let Some(token) = bearer(header) else { return Caller::Unknown };
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        list.role(token, now).map_or(Caller::Unknown, Caller::Known)
    }
}

/// The token of an `Authorization` header (RFC 6750, section 2.1).
fn bearer(header: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = header.as_bytes().split_at_checked("bearer ".len())?;
    let valid = scheme.eq_ignore_ascii_case(b"bearer ") && token.len() <= LONGEST_TOKEN;
    valid.then(|| token.trim_ascii())
}

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
