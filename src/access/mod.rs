//! Access to the services: the tokens that they accept, and the one that this user sends.
//!
//! ```text
//! change     decides whether a command adds a token to the list
//! keyring    the files of a stack: the list of tokens, and this user's own token
//! reconcile  decides between the lists of this machine and of hosts
//! ```

mod change;
mod keyring;
mod reconcile;

use std::io;
use std::path::PathBuf;

use rest::access::tokens::TokenListError;

pub use change::{ListChange, list_change};
pub use keyring::{Keyring, OPERATOR};
pub use reconcile::reconcile;
pub use support::token::{Token, TokenError, VARIABLE};

/// Why tokens cannot be read, created or written to hosts.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The token that was named cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The given token cannot become the first of the stack.
    #[error(
        "the stack has no tokens yet, and the given one cannot become the first: it must be \
         `eventpost_` and 64 hexadecimal digits, which `echo eventpost_$(openssl rand -hex 32)` \
         makes. Without a given token, one is made"
    )]
    Weak,
    /// A list is not valid.
    #[error("{origin}: {source}")]
    Invalid {
        /// The file, or the host.
        origin: String,
        /// What is wrong.
        source: TokenListError,
    },
    /// The list of this machine is not the one that was changed last.
    #[error(
        "{host} has a different list of tokens than {} (serial {there}, here {here}): somebody else \
         has changed it. Move that file away, run `eventpost deploy` to fetch the list of the \
         hosts, then make your change again", path.display()
    )]
    Conflict {
        /// A host that has another list.
        host: String,
        /// Its serial there.
        there: u64,
        /// The serial here.
        here: u64,
        /// The list of this machine.
        path: PathBuf,
    },
    /// The system provides no random numbers.
    #[error("no token can be created: the system provides no random numbers ({0})")]
    NoRandomness(io::Error),
    /// A token was given in place of its name.
    #[error("that is a token, not the name of one: `eventpost token list` shows the names")]
    NotAName,
    /// A token cannot be added to the list.
    #[error("{path}: {problem}", path = path.display())]
    NotAdded {
        /// The list.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// There is no token of a name.
    #[error("{} has no token named `{name}`: `eventpost token list` shows the names", path.display())]
    Unknown {
        /// The list.
        path: PathBuf,
        /// The name.
        name: String,
    },
}
