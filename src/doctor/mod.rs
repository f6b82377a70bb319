//! Checks of a stack that does not work, in the order in which one thing depends on
//! another: the first check that fails is the cause.

mod facts;
mod redact;

use serde::Serialize;

pub use facts::Facts;
pub use redact::Redactor;

/// A check and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The service that it is about; none if it is about all of them.
    pub service: Option<String>,
    /// What was checked.
    pub subject: &'static str,
    /// The result.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// How to fix it, if it is wrong.
    pub fix: Option<String>,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Not as it should be.
    Wrong,
    /// It could not be checked.
    Unknown,
}

impl Verdict {
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
    /// A check that found nothing wrong.
    pub fn fine(subject: &'static str, found: impl Into<String>) -> Self {
        let (found, verdict) = (found.into(), Verdict::Fine);
        Self { service: None, subject, verdict, found, fix: None }
    }

    /// A check that found a problem.
    pub fn wrong(subject: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        let (found, fix) = (found.into(), Some(fix.into()));
        Self { service: None, subject, verdict: Verdict::Wrong, found, fix }
    }

    /// A check that could not be made.
    pub fn unknown(subject: &'static str, found: impl Into<String>) -> Self {
        let (found, verdict) = (found.into(), Verdict::Unknown);
        Self { service: None, subject, verdict, found, fix: None }
    }

    /// The check for one service, whose name replaces SERVICE in the fix.
    #[must_use]
    pub fn of(mut self, service: &str) -> Self {
        self.service = Some(service.into());
        self.fix = self.fix.map(|fix| fix.replace("SERVICE", service));
        self
    }

    /// Whether it found a problem.
    pub fn is_wrong(&self) -> bool {
        self.verdict == Verdict::Wrong
    }
}

/// The cause: the first thing that is wrong.
pub fn cause(checks: &[Check]) -> Option<&Check> {
    checks.iter().find(|check| check.is_wrong())
}
