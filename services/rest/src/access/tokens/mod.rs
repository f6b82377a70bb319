//! Access tokens: their roles, the generation of new ones, and the list of those that a service
//! accepts.

mod list;
mod parse;

use std::fmt;

use sha2::{Digest, Sha256};

pub use list::{Entry, TokenList, TokenListError};

use store::hex;

/// The longest list, in bytes.
pub const MAX_LIST_BYTES: usize = 256 << 10;
/// The most tokens in a list: the token of each request is compared with all of them.
pub const MAX_TOKENS: usize = 1000;
/// The prefix of tokens, by which people and scanners for leaked secrets recognise them.
pub const PREFIX: &str = "eventpost_";

const MAX_NAME_LENGTH: usize = 64;

/// What a token allows; each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read what is private.
    Read,
    /// Also create, replace and delete.
    Write,
    /// Also read metrics and details, and retry what failed.
    Admin,
}

/// A token that was just generated. It is shown once.
pub struct NewToken {
    /// The token.
    pub secret: String,
    /// What a list keeps of it.
    pub digest: [u8; 32],
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The name of the role.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| "the role must be read, write or admin".into())
    }
}

impl NewToken {
    /// Generates a token of 256 random bits. Fails only if the system has no source of
    /// randomness.
    pub fn generate() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let mut digits = [0; 64];
        hex::write(&bytes, &mut digits);
        let secret = format!("{PREFIX}{}", String::from_utf8_lossy(&digits));
        let digest = digest(&secret);
        Ok(Self { secret, digest })
    }
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").finish_non_exhaustive()
    }
}

/// The SHA-256 of a token, which is what lists keep of it.
pub fn digest(token: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Whether a text looks like a token that [`NewToken::generate`] has made.
pub fn is_token(text: &str) -> bool {
    text.strip_prefix(PREFIX).and_then(hex::read::<32>).is_some()
}

/// Whether a text can be the name of a token.
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.@".contains(&b);
    (1..=MAX_NAME_LENGTH).contains(&text.len()) && text.bytes().all(allowed) && text != "-"
}
