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
pub(crate) enum Caller {
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

    pub(crate) fn caller(&self, header: Option<&HeaderValue>) -> Caller {
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
