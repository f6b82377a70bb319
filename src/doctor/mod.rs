//! Checks of a deployment that does not work, in the order in which one thing depends on
//! another: the first check that fails is the cause.

mod facts;
mod redact;

use serde::Serialize;

pub use facts::Facts;
pub use redact::Redactor;

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The service that it is about; none where it is about all of them.
    pub service: Option<String>,
    /// What was looked at.
    pub subject: &'static str,
    /// How it is.
    pub outcome: Outcome,
    /// What was found.
    pub found: String,
    /// How to fix it, where it is wrong.
    pub fix: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it is to be.
    Fine,
    /// Not as it is to be.
    Wrong,
    /// Nobody knows: it could not be looked at.
    Unknown,
}

impl Outcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
        }
    }
}

impl Check {
    /// Something that is as it is to be.
    pub fn fine(subject: &'static str, found: impl Into<String>) -> Self {
        let (found, outcome) = (found.into(), Outcome::Fine);
        Self { service: None, subject, outcome, found, fix: None }
    }

    /// Something that is not.
    pub fn wrong(subject: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        let (found, fix) = (found.into(), Some(fix.into()));
        Self { service: None, subject, outcome: Outcome::Wrong, found, fix }
    }

    /// Something that could not be looked at.
    pub fn unknown(subject: &'static str, found: impl Into<String>) -> Self {
        let (found, outcome) = (found.into(), Outcome::Unknown);
        Self { service: None, subject, outcome, found, fix: None }
    }

    /// About one service, whose name takes the place of SERVICE in what fixes it.
    #[must_use]
    pub fn of(mut self, service: &str) -> Self {
        self.service = Some(service.into());
        self.fix = self.fix.map(|fix| fix.replace("SERVICE", service));
        self
    }

    /// Whether it is not as it is to be.
    pub fn is_wrong(&self) -> bool {
        self.outcome == Outcome::Wrong
    }
}

/// The cause: the first thing that is wrong.
pub fn cause(checks: &[Check]) -> Option<&Check> {
    checks.iter().find(|check| check.is_wrong())
}
