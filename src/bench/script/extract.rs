//! This module owns taking values out of answers for later requests.

use regex::bytes::{Captures, Regex};

use super::template::Variables;

/// Takes a value out of a body by a regular expression, into a variable.
#[derive(Debug)]
pub struct Extractor {
    pub(super) variable: String,
    pub(super) regexp: Regex,
    /// Which match to take, from 1; 0 is any of them.
    pub(super) match_no: u32,
    pub(super) template: Group,
    /// The value where nothing matches; without one the variable stays as it is.
    pub(super) default: Option<String>,
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
    /// Sets the variable to what `body` has. `any` chooses below a number where any
    /// match will do.
    pub(crate) fn extract(
        &self,
        body: &[u8],
        variables: &mut Variables,
        any: impl FnOnce(usize) -> usize,
    ) {
        let mut matches = self.regexp.captures_iter(body);
        let found = match self.match_no {
            0 => {
                let all: Vec<_> = matches.collect();
                let chosen = if all.is_empty() { 0 } else { any(all.len()) };
                all.into_iter().nth(chosen)
            }
            number => matches.nth(number as usize - 1),
        };
        let value = found.map(|found| self.template.of(&found)).or_else(|| self.default.clone());
        if let Some(value) = value {
            variables.insert(self.variable.clone(), value);
        }
    }
}

impl Group {
    /// Reads a number, or text with `$1$` in it.
    pub(super) fn new(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Some(Self(vec![Part::Group(number)]));
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
