//! Where the URL of a database is, and why it cannot be used.

use std::fmt;
use std::path::PathBuf;

/// Where the URL of a database is. It has a password, so it is never shown.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// In this file, which is read for each connection: a password can be changed without a
    /// restart.
    File(PathBuf),
    /// It is this one.
    Value(String),
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Value(_) => f.write_str("Value(..)"),
        }
    }
}

/// Why there is no usable URL of a database. It shows nothing of the URL but names of parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// The file cannot be read.
    #[error("the database URL cannot be read from {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It is no URL of a database.
    #[error(
        "the database URL is not valid: {0}; it has the form postgres://USER:PASSWORD@HOST:PORT/NAME"
    )]
    Invalid(String),
    /// The certificates of the authority cannot be used.
    #[error("sslrootcert: {} cannot be used: {reason}", path.display())]
    RootCertificates {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_not_shown() {
        let shown = format!("{:?}", DatabaseUrl::Value("postgres://u:secret@h/d".into()));
        assert_eq!(shown, "Value(..)");
    }
}
