//! This module owns taking values out of answers for later requests.

use regex::bytes::{Captures, Regex};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::reply::{Reply, Subject};
use super::template::Variables;

/// Takes a value out of an answer, into a variable.
#[derive(Debug)]
pub struct Extractor {
    pub(super) variable: String,
    pub(super) source: Source,
    /// Which match to take, from 1; 0 is any of them.
    pub(super) match_no: u32,
    /// The value where nothing matches.
    pub(super) default: String,
}

/// How a value is found.
#[derive(Debug)]
pub(super) enum Source {
    Regexp { regexp: Regex, subject: Subject, template: Group },
    JsonPath(JsonPath),
}

/// What of a match is taken, as `JMeter` writes it: `$1$` or text around such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group(pub(super) Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Group(usize),
}

impl Extractor {
    /// Sets the variable to what the answer has. `any` chooses below a number where any
    /// match will do.
    pub(crate) fn extract(
        &self,
        reply: &Reply<'_>,
        variables: &mut Variables,
        any: impl FnOnce(usize) -> usize,
    ) {
        let found = match &self.source {
            Source::Regexp { regexp, subject, template } => {
                let text = subject.of(reply);
                let matches = regexp.captures_iter(&text);
                self.choose(matches, any).map(|found| template.of(&found))
            }
            Source::JsonPath(path) => {
                // What is no JSON has no such value.
                let document = serde_json::from_slice::<Value>(reply.body).unwrap_or_default();
                self.choose(path.query(&document).all().into_iter(), any).map(text_of)
            }
        };
        let value = found.unwrap_or_else(|| self.default.clone());
        match variables.get_mut(&self.variable) {
            Some(variable) => *variable = value,
            None => drop(variables.insert(self.variable.clone(), value)),
        }
    }

    /// What of the answer it looks at.
    pub(super) fn subject(&self) -> Subject {
        match &self.source {
            Source::Regexp { subject, .. } => *subject,
            Source::JsonPath(_) => Subject::Body,
        }
    }

    fn choose<T>(
        &self,
        mut matches: impl Iterator<Item = T>,
        any: impl FnOnce(usize) -> usize,
    ) -> Option<T> {
        match self.match_no {
            0 => {
                let all: Vec<_> = matches.collect();
                let chosen = if all.is_empty() { 0 } else { any(all.len()) };
                all.into_iter().nth(chosen)
            }
            number => matches.nth(number as usize - 1),
        }
    }
}

/// A value as `JMeter` puts it into a variable: a text without its quotes, and nothing for
/// null.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Group {
    /// The group of a number.
    pub(super) fn number(number: usize) -> Self {
        Self(vec![Part::Group(number)])
    }

    /// Reads a number, or text with `$1$` in it.
    pub(super) fn new(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Some(Self::number(number));
        }
        let mut parts = Vec::new();
        let mut pieces = text.split('$');
        parts.push(Part::Text(pieces.next()?.into()));
        while let Some(group) = pieces.next() {
            parts.push(Part::Group(group.parse().ok()?));
            parts.push(Part::Text(pieces.next()?.into()));
        }
        Some(Self(parts))
    }

    /// The greatest group that it names.
    pub(super) fn greatest(&self) -> usize {
        let groups = self.0.iter().map(|part| match part {
            Part::Text(_) => 0,
            Part::Group(number) => *number,
        });
        groups.max().unwrap_or(0)
    }

    fn of(&self, found: &Captures<'_>) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Group(number) => {
                let group = found.get(*number).map_or(&[][..], |group| group.as_bytes());
                String::from_utf8_lossy(group).into_owned()
            }
        };
        self.0.iter().map(part).collect()
    }
}
