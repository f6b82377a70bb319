//! Extracts values from responses for later requests.

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

/// Where an expression matched an answer, for the next extractor: several of them often
/// take any match of the same.
#[derive(Debug, Default)]
pub(crate) struct Matched<'a> {
    of: Option<(&'a str, Subject)>,
    starts: Vec<usize>,
}

impl Extractor {
    /// Sets the variable to what the answer has. `any` chooses below a number where any
    /// match will do; `matched` is of the same answer.
    pub(crate) fn extract<'a>(
        &'a self,
        reply: &Reply<'_>,
        matched: &mut Matched<'a>,
        variables: &mut Variables,
        any: impl FnOnce(usize) -> usize,
    ) {
        let found = match &self.source {
            Source::Regexp { regexp, subject, template } => {
                let text = subject.of(reply);
                let found = match self.match_no {
                    0 => {
                        let starts = matched.starts(regexp, *subject, &text);
                        let start = one_of(starts, any);
                        start.and_then(|start| regexp.captures_at(&text, *start))
                    }
                    number => regexp.captures_iter(&text).nth(number as usize - 1),
                };
                found.map(|found| template.of(&found))
            }
            Source::JsonPath(path) => {
                // What is no JSON has no such value.
                let document = serde_json::from_slice::<Value>(reply.body).unwrap_or_default();
                let found = path.query(&document).all();
                let found = match self.match_no {
                    0 => one_of(&found, any),
                    number => found.get(number as usize - 1),
                };
                found.map(|value| text_of(value))
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
}

fn one_of<T>(all: &[T], any: impl FnOnce(usize) -> usize) -> Option<&T> {
    if all.is_empty() { None } else { all.get(any(all.len())) }
}

impl<'a> Matched<'a> {
    fn starts(&mut self, regexp: &'a Regex, subject: Subject, text: &[u8]) -> &[usize] {
        let of = Some((regexp.as_str(), subject));
        if self.of != of {
            self.of = of;
            self.starts.clear();
            self.starts.extend(regexp.find_iter(text).map(|found| found.start()));
        }
        &self.starts
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
