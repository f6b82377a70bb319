//! Checks a response against a script's assertions.

use regex::bytes::Regex;

use super::response::{ResponseParts, Subject};

/// What a response must have, or must not have.
#[derive(Debug)]
pub struct Assertion {
    pub(super) subject: Subject,
    pub(super) patterns: Vec<Pattern>,
    /// Whether none of the patterns may match, instead of all having to.
    pub(super) not: bool,
    /// Whether the response's status does not matter.
    pub(super) assume_success: bool,
}

/// A pattern and its text in the script.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) regexp: Regex,
    pub(super) text: String,
}

impl Assertion {
    /// Why a response does not meet it, if it does not.
    pub(super) fn failure(&self, response: &ResponseParts<'_>) -> Option<String> {
        let text = self.subject.of(response);
        let wrong = self.patterns.iter().find(|it| it.regexp.is_match(&text) == self.not)?;
        let contains = if self.not { "contains" } else { "does not contain" };
        Some(format!("assertion: {} {contains} `{}`", self.subject.name(), wrong.text))
    }
}
