//! Extracts values from responses for later requests.

use regex::bytes::{Captures, Regex};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::response::{ResponseParts, Subject};
use super::template::Variables;

/// Extracts a value from a response into a variable.
#[derive(Debug)]
pub struct Extractor {
    pub(super) variable: String,
    pub(super) source: Source,
    /// Which match to take, from 1; 0 is any of them.
    pub(super) match_no: u32,
    /// The value if nothing matches.
    pub(super) default: String,
}

/// How a value is found.
#[derive(Debug)]
pub(super) enum Source {
    Regexp { regexp: Regex, subject: Subject, template: MatchTemplate },
    JsonPath(JsonPath),
}

/// The value that a match gives, as `JMeter` writes it: `$1$`, or text around such groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MatchTemplate(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

/// Where a regular expression matches a response, kept for the next extractor: several of them
/// often take any match of the same expression.
#[derive(Debug, Default)]
pub(crate) struct MatchCache<'a> {
    of: Option<(&'a str, Subject)>,
    starts: Vec<usize>,
}

impl Extractor {
    /// Sets the variable to what the response has. `any` chooses a number below a count, for any
    /// match; `matches` belongs to the same response.
    pub(crate) fn extract<'a>(
        &'a self,
        response: &ResponseParts<'_>,
        matches: &mut MatchCache<'a>,
        variables: &mut Variables,
        any: impl FnOnce(usize) -> usize,
    ) {
        let found = match &self.source {
            Source::Regexp { regexp, subject, template } => {
                let text = subject.of(response);
                let captures = match self.match_no {
                    0 => {
                        let starts = matches.starts(regexp, *subject, &text);
                        let start = one_of(starts, any);
                        start.and_then(|start| regexp.captures_at(&text, *start))
                    }
                    number => regexp.captures_iter(&text).nth(number as usize - 1),
                };
                captures.map(|captures| template.fill(&captures))
            }
            Source::JsonPath(path) => {
                // A body that is not JSON has no values.
                let document = serde_json::from_slice::<Value>(response.body).unwrap_or_default();
                let values = path.query(&document).all();
                let value = match self.match_no {
                    0 => one_of(&values, any),
                    number => values.get(number as usize - 1),
                };
                value.map(|value| to_text(value))
            }
        };
        let value = found.unwrap_or_else(|| self.default.clone());
        match variables.get_mut(&self.variable) {
            Some(variable) => *variable = value,
            None => drop(variables.insert(self.variable.clone(), value)),
        }
    }

    /// The part of the response that it uses.
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

impl<'a> MatchCache<'a> {
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

/// A value as `JMeter` stores it in a variable: a string without quotes, and null as an empty
/// string.
fn to_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl MatchTemplate {
    /// A group by its number.
    pub(super) fn group(number: usize) -> Self {
        Self(vec![Piece::Group(number)])
    }

    /// Parses a number, or text with `$1$` in it.
    pub(super) fn new(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Some(Self::group(number));
        }
        let mut pieces = Vec::new();
        let mut parts = text.split('$');
        pieces.push(Piece::Text(parts.next()?.into()));
        while let Some(group) = parts.next() {
            pieces.push(Piece::Group(group.parse().ok()?));
            pieces.push(Piece::Text(parts.next()?.into()));
        }
        Some(Self(pieces))
    }

    /// The highest number of a group.
    pub(super) fn max_group(&self) -> usize {
        let groups = self.0.iter().map(|piece| match piece {
            Piece::Text(_) => 0,
            Piece::Group(number) => *number,
        });
        groups.max().unwrap_or(0)
    }

    fn fill(&self, captures: &Captures<'_>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Group(number) => {
                let group = captures.get(*number).map_or(&[][..], |group| group.as_bytes());
                String::from_utf8_lossy(group).into_owned()
            }
        };
        self.0.iter().map(piece).collect()
    }
}
