//! Decides who may send a request: by bearer token and role, by the origin of the page that a
//! browser sends it from, and, on loopback, by the host that the request names.
//!
//! ```text
//! tokens   the list of tokens, with their roles and expiries
//! settings access from the command line and the environment
//! origins  the allowed origins of pages (CORS)
//! ```

pub mod origins;
mod settings;
pub mod tokens;

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::HeaderValue;

use origins::Origins;
pub use settings::{AccessArgs, AccessError, AccessMode};
use tokens::{Role, TokenList};

/// The longest token that is looked up, in bytes.
const MAX_TOKEN_LENGTH: usize = 512;

/// Who may use a service.
#[derive(Debug)]
pub enum Access {
    /// Everybody may read and write everything, as in the first EventPost.
    Open,
    /// Writes, and reads of private data, need a token.
    Tokens(Tokens),
}

/// The tokens that a service accepts; they can be reloaded while it runs.
#[derive(Debug)]
pub struct Tokens {
    list: RwLock<TokenList>,
    /// The file that they are read from; `None` if the environment holds them.
    file: Option<PathBuf>,
}

/// Everything that decides whether a request is allowed.
#[derive(Debug)]
pub struct Guard {
    /// Who may use the service.
    pub access: Access,
    /// The origins whose pages may.
    pub origins: Origins,
    /// Whether the service listens on loopback only. Requests must then name a loopback host:
    /// another name may have been pointed here by DNS rebinding.
    pub loopback: bool,
}

/// Who sends a request, by its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// There is no token.
    Anonymous,
    /// The token is not known, or has expired.
    Unknown,
    Known {
        role: Role,
        /// The same for each request with the token.
        holder: u64,
    },
}

impl Access {
    /// Whether everybody may read and write everything.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// The name of the mode, as in `ACCESS`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Tokens(_) => "tokens",
        }
    }

    /// The name of the token that a holder has; `None` if it was taken off the list.
    pub(crate) fn name_of(&self, holder: u64) -> Option<String> {
        let Self::Tokens(tokens) = self else { return None };
        let list = tokens.list.read().unwrap_or_else(PoisonError::into_inner);
        let entry = list.entries().iter().find(|entry| entry.holder() == holder);
        entry.map(|entry| entry.name.clone())
    }

    /// Reloads the tokens, and returns their number; `None` if they are not in a file. If that
    /// fails, the previous list stays in use.
    pub fn reload(&self) -> Result<Option<usize>, AccessError> {
        let Self::Tokens(tokens) = self else { return Ok(None) };
        let Some(file) = &tokens.file else { return Ok(None) };
        let list = settings::read(file)?;
        let count = list.entries().len();
        *tokens.list.write().unwrap_or_else(PoisonError::into_inner) = list;
        Ok(Some(count))
    }
}

impl Caller {
    /// Who sends a request with these headers.
    pub(crate) fn of(access: &Access, authorization: Option<&HeaderValue>) -> Self {
        match access {
            Access::Tokens(tokens) => tokens.caller(authorization),
            Access::Open => Self::Anonymous,
        }
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
        let valid = list.find(token).filter(|entry| !entry.has_expired(now));
        valid.map_or(Caller::Unknown, |entry| Caller::Known {
            role: entry.role,
            holder: entry.holder(),
        })
    }
}

/// The token of an `Authorization` header (RFC 6750, section 2.1).
fn bearer(header: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = header.as_bytes().split_at_checked("bearer ".len())?;
    let valid = scheme.eq_ignore_ascii_case(b"bearer ") && token.len() <= MAX_TOKEN_LENGTH;
    valid.then(|| token.trim_ascii())
}
