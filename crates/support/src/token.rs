//! A bearer token.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::header::HeaderValue;

/// The environment variable with the token of a second operator or of CI.
pub const VARIABLE: &str = "EVENTPOST_TOKEN";

/// The longest token that services accept, in bytes.
const MAX_LENGTH: usize = 512;

/// Why a token cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("the token file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is not a token.
    #[error("{origin} does not hold an access token: it must be one word, like eventpost_…")]
    NotAToken {
        /// Where it was read.
        origin: String,
    },
}

/// An access token. Its text never shows in debug output or errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<str>);

impl Token {
    /// Reads a token from a text, ignoring blanks around it.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let valid =
            (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        valid.then(|| Self(text.into()))
    }

    /// A token that was just created.
    pub fn created(secret: &str) -> Self {
        Self(secret.into())
    }

    /// The token that a file holds.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |source| TokenError::Unreadable { path: path.into(), source };
        let mut text = String::new();
        // Anything longer is not a token: the wrong file was named.
        let file = File::open(path).map_err(unreadable)?;
        file.take(2 * MAX_LENGTH as u64).read_to_string(&mut text).map_err(unreadable)?;
        let origin = || path.display().to_string();
        Self::new(&text).ok_or_else(|| TokenError::NotAToken { origin: origin() })
    }

    /// The token that [`VARIABLE`] holds, if it is set.
    pub fn from_env() -> Result<Option<Self>, TokenError> {
        let text = std::env::var_os(VARIABLE).filter(|text| !text.is_empty());
        let not_a_token = || TokenError::NotAToken { origin: VARIABLE.into() };
        let token = |text: std::ffi::OsString| text.to_str().and_then(Self::new);
        text.map(|text| token(text).ok_or_else(not_a_token)).transpose()
    }

    /// The token itself, to be written only where secrets belong.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// The `Authorization` header with the token, marked as sensitive.
    pub fn header(&self) -> HeaderValue {
        // A token is visible ASCII, which is always valid in a header.
        let value = HeaderValue::try_from(format!("Bearer {}", self.0));
        let mut value = value.unwrap_or(HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_that_is_not_printed() {
        let token = Token::new(" eventpost_abc\n").unwrap();
        assert_eq!(token.secret(), "eventpost_abc");
        assert_eq!(format!("{token:?} {:?}", token.header()), "Token(…) Sensitive");
        for bad in ["", " ", "two words", "a\u{1b}", "ñ", &"x".repeat(513)] {
            assert_eq!(Token::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_file_that_holds_something_else_is_named_and_not_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "my secret diary").unwrap();
        let error = Token::read(&file).unwrap_err().to_string();
        assert!(error.contains("token does not hold") && !error.contains("diary"), "{error}");
    }
}
