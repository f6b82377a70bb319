//! The settings of access, from the command line and the environment.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::tokens::{MAX_LIST_BYTES, TokenList, TokenListError};
use super::{Access, Tokens};

/// Holds the list of tokens if there is no file.
const VARIABLE: &str = "ACCESS_TOKENS";

/// Who may use a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccessMode {
    /// Everybody may read events; everything else needs a token
    Tokens,
    /// Everybody may read and write everything
    Open,
}

/// The arguments about access.
#[derive(Debug, clap::Args)]
pub struct AccessArgs {
    /// Who may use the service [default: tokens if there is a list of them, else open on
    /// loopback and an error on any other address]
    #[arg(long, env = "ACCESS", value_enum, value_name = "MODE", help_heading = "Access")]
    access: Option<AccessMode>,

    /// File with the list of accepted tokens (name, role, SHA-256), reloaded at SIGHUP; the
    /// variable `ACCESS_TOKENS` can hold the list instead
    #[arg(long, env = "ACCESS_TOKENS_FILE", value_name = "FILE", help_heading = "Access")]
    access_tokens_file: Option<PathBuf>,
}

/// Why the settings of access are not valid.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The service can be reached from other machines, and neither has tokens nor is to be open.
    #[error(
        "access is not set, and {address} can be reached from other machines: set \
         ACCESS_TOKENS_FILE or {VARIABLE} (`eventpost token` creates tokens), ACCESS=open to let \
         everybody read and write everything, or listen on 127.0.0.1:{} to serve this \
         machine alone", address.port()
    )]
    Unset {
        /// The address to listen on.
        address: SocketAddr,
    },
    /// Access is to be by tokens, and there is no list of them.
    #[error("ACCESS=tokens needs ACCESS_TOKENS_FILE or {VARIABLE}")]
    NoTokens,
    /// Access is to be open, and there is a list of tokens.
    #[error("ACCESS=open cannot be combined with ACCESS_TOKENS_FILE or {VARIABLE}: remove one")]
    OpenWithTokens,
    /// The variable is set and empty.
    #[error("{VARIABLE} is empty: add a token to it, or unset it")]
    Empty,
    /// There are two lists.
    #[error("ACCESS_TOKENS_FILE and {VARIABLE} are both set: remove one of them")]
    TwoLists,
    /// The file cannot be read.
    #[error("the tokens in {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The list is not valid.
    #[error("{origin}: {source}")]
    Invalid {
        /// The file or variable.
        origin: String,
        /// What is wrong.
        source: TokenListError,
    },
}

impl AccessArgs {
    /// The access of a service that listens on an address.
    pub fn access(&self, address: SocketAddr) -> Result<Access, AccessError> {
        let variable = std::env::var_os(VARIABLE).map(|text| text.to_string_lossy().into_owned());
        // An empty variable is a mistake, which must not leave the service open.
        if variable.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Err(AccessError::Empty);
        }
        self.with(variable, address)
    }

    fn with(&self, variable: Option<String>, address: SocketAddr) -> Result<Access, AccessError> {
        let Self { access, access_tokens_file: file } = self;
        match (access, file, variable) {
            (_, Some(_), Some(_)) => Err(AccessError::TwoLists),
            (Some(AccessMode::Open), None, None) => Ok(Access::Open),
            (Some(AccessMode::Open), ..) => Err(AccessError::OpenWithTokens),
            (_, Some(file), None) => {
                Ok(Access::Tokens(Tokens::new(read(file)?, Some(file.clone()))))
            }
            (_, None, Some(text)) => {
                Ok(Access::Tokens(Tokens::new(parse(&text, VARIABLE.into())?, None)))
            }
            (Some(AccessMode::Tokens), None, None) => Err(AccessError::NoTokens),
            (None, None, None) if address.ip().to_canonical().is_loopback() => Ok(Access::Open),
            (None, None, None) => Err(AccessError::Unset { address }),
        }
    }
}

/// Reads the list from a file.
pub(super) fn read(path: &Path) -> Result<TokenList, AccessError> {
    let unreadable = |source| AccessError::Unreadable { path: path.into(), source };
    let mut text = String::new();
    let limit = MAX_LIST_BYTES as u64;
    let file = File::open(path).map_err(unreadable)?;
    file.take(limit + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() > MAX_LIST_BYTES {
        let problem = format!("it is larger than {MAX_LIST_BYTES} bytes");
        return Err(unreadable(io::Error::other(problem)));
    }
    parse(&text, path.display().to_string())
}

fn parse(text: &str, origin: String) -> Result<TokenList, AccessError> {
    TokenList::parse(text).map_err(|source| AccessError::Invalid { origin, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(
        mode: Option<AccessMode>,
        variable: Option<&str>,
        address: &str,
    ) -> Result<Access, String> {
        let args = AccessArgs { access: mode, access_tokens_file: None };
        let access = args.with(variable.map(str::to_owned), address.parse().unwrap());
        access.map_err(|error| error.to_string())
    }

    #[test]
    fn a_service_that_others_can_reach_needs_tokens_or_open() {
        let list = format!("ci write {}", "ab".repeat(32));
        for address in ["[::]:80", "0.0.0.0:80", "203.0.113.1:80", "[2001:db8::1]:80"] {
            let error = access(None, None, address).unwrap_err();
            assert!(error.contains(address) && error.contains("ACCESS_TOKENS"), "{error}");
            assert!(access(Some(AccessMode::Open), None, address).unwrap().is_open());
            assert!(!access(None, Some(&list), address).unwrap().is_open());
        }
        for address in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert!(access(None, None, address).unwrap().is_open());
            assert!(!access(None, Some(&list), address).unwrap().is_open());
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let list = format!("ci write {}", "ab".repeat(32));
        let here = "127.0.0.1:80";
        assert!(access(Some(AccessMode::Tokens), None, here).unwrap_err().contains("needs"));
        assert!(
            access(Some(AccessMode::Open), Some(&list), here)
                .unwrap_err()
                .contains("cannot be combined")
        );
        let error = access(None, Some("ci"), here).unwrap_err();
        assert_eq!(error, "ACCESS_TOKENS: line 1: ci: the role must be read, write or admin");
    }
}
