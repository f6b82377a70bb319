//! Where the URL of a database is, and why it cannot be used.

use std::fmt;
use std::path::PathBuf;

/// Where the URL of a database is. It has a password, so it is never shown.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) place: UrlPlace,
    /// The certificates of the authority that has signed the server's.
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Clone)]
pub(crate) enum UrlPlace {
    /// In this file.
    File(PathBuf),
    /// It is this one.
    Value(String),
}

impl DatabaseUrl {
    /// A URL in a file, which is read for each connection: a password can be changed without a
    /// restart.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { place: UrlPlace::File(path.into()), ca_file: None }
    }

    /// A URL.
    pub fn value(url: impl Into<String>) -> Self {
        Self { place: UrlPlace::Value(url.into()), ca_file: None }
    }

    /// With the file of the certificates, in PEM format, that verify the server's; it counts
    /// instead of the URL's `sslrootcert`.
    #[must_use]
    pub fn with_ca_file(self, ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, ..self }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            UrlPlace::File(path) => f.debug_tuple("DatabaseUrl").field(path).finish(),
            UrlPlace::Value(_) => f.write_str("DatabaseUrl(..)"),
        }
    }
}

/// Why there is no usable URL of a database. It shows nothing of the URL but names of parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// The file cannot be read.
    #[error("cannot read the database URL from {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It is no URL of a database.
    #[error("invalid database URL: {0} (expected postgres://USER:PASSWORD@HOST:PORT/NAME)")]
    Invalid(String),
    /// The certificates of the authority cannot be used.
    #[error("cannot use the CA certificates in {}: {reason}", path.display())]
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
        let shown = format!("{:?}", DatabaseUrl::value("postgres://u:secret@h/d"));
        assert_eq!(shown, "DatabaseUrl(..)");
    }
}
