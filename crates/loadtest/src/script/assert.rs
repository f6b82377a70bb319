//! Checks a response against a script's assertions.

use regex::bytes::Regex;

use super::reply::{Reply, Subject};

/// Something that an answer must have, or must not.
#[derive(Debug)]
pub struct Assertion {
    pub(super) subject: Subject,
    pub(super) patterns: Vec<Pattern>,
    /// Whether none of the patterns may be there, instead of all.
    pub(super) not: bool,
    /// Whether the answer's status does not matter.
    pub(super) assume_success: bool,
}

/// A pattern and its text in the script.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) regexp: Regex,
    pub(super) text: String,
}

impl Assertion {
    /// What is wrong with the answer, if anything is.
    pub(super) fn complaint(&self, reply: &Reply<'_>) -> Option<String> {
        let text = self.subject.of(reply);
        let wrong = self.patterns.iter().find(|it| it.regexp.is_match(&text) == self.not)?;
        let has = if self.not { "has" } else { "has not" };
        Some(format!("assertion: {} {has} `{}`", self.subject.name(), wrong.text))
    }
}
