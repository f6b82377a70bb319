//! Why no certificate was issued.

use std::io;
use std::path::PathBuf;

use instant_acme::Problem;

use super::client::chain;
use crate::terminal;
use crate::tls::certificate::CertificateError;

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    /// The authority has not been asked for anything.
    #[error(
        "the authority's directory {directory} cannot be reached ({reason}): check the network and \
         the firewall, and ACME_DIRECTORY and ACME_CA_FILE if they are set"
    )]
    Unreachable { directory: String, reason: String },
    /// What it was asked for is on no disk: it could be asked again and again.
    #[error("{} cannot be written: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "the authority could not check {}: each name must point to this machine in DNS, and port \
         443 of each of its addresses must lead to --tls-listen", .0.join("; ")
    )]
    Invalid(Vec<String>),
    #[error("the authority offers no check by tls-alpn-01 for {0}: choose another ACME_DIRECTORY")]
    NoChallenge(String),
    #[error("the authority refused: {}", words(.0))]
    Refused(Problem),
    #[error("the authority did not answer as it should: {0}")]
    Protocol(String),
    #[error("the authority took too long")]
    TimedOut,
    #[error("the authority's certificate cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    #[error("cannot make a key: {0}")]
    Key(#[from] rcgen::Error),
}

impl From<instant_acme::Error> for AcmeError {
    fn from(error: instant_acme::Error) -> Self {
        match error {
            instant_acme::Error::Api(problem) => Self::Refused(problem),
            instant_acme::Error::Timeout(_) => Self::TimedOut,
            other => Self::Protocol(chain(&other)),
        }
    }
}

impl AcmeError {
    /// Whether the authority does not know the account, any more or yet.
    pub(super) fn is_unknown_account(&self) -> bool {
        let kind = match self {
            Self::Refused(problem) => problem.r#type.as_deref(),
            _ => None,
        };
        kind.is_some_and(|kind| kind.ends_with(":accountDoesNotExist"))
    }

    /// Whether the authority knows nothing of what was asked for, while it knows the account. Whoever
    /// is told to wait must not ask for the same again.
    pub(super) fn is_forgotten(&self) -> bool {
        let Self::Refused(problem) = self else { return false };
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let is_unknown = problem.status == Some(404) || kind.ends_with(":malformed");
        is_unknown && !self.is_unknown_account()
    }
}

/// Characters of what an authority says that are shown.
const MAX_WORDS: usize = 1000;

/// What an authority says about a problem, on one line.
pub(super) fn words(problem: &Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default();
    let mut text = match &problem.detail {
        Some(detail) => format!("{detail} ({kind})"),
        None => kind.to_owned(),
    };
    for sub in &problem.subproblems {
        text = format!("{text}; {sub}");
    }
    let shown: String = text.chars().take(MAX_WORDS).collect();
    terminal::escape_line(&shown).into_owned()
}
