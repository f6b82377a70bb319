//! This module owns reading one mapping of the file: each key is taken once, what is
//! wrong is collected, and what nobody took is an unknown key.

use std::cell::RefCell;

use serde_yaml::{Mapping, Value};

/// Something wrong at a path of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The keys that lead there.
    pub(super) path: Vec<String>,
    pub(super) message: String,
}

/// The problems found so far, in every section.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

/// A mapping that is being read.
#[derive(Debug)]
pub(super) struct Section<'a> {
    mapping: Option<&'a Mapping>,
    path: Vec<String>,
    taken: Vec<&'static str>,
    problems: &'a Problems,
}

impl Problems {
    pub(super) fn add(&self, path: &[String], message: impl Into<String>) {
        self.0.borrow_mut().push(Problem { path: path.into(), message: message.into() });
    }

    pub(super) fn into_inner(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

impl<'a> Section<'a> {
    /// Begins to read a value that must be a mapping.
    pub(super) fn new(value: &'a Value, path: Vec<String>, problems: &'a Problems) -> Self {
        let mapping = value.as_mapping();
        if mapping.is_none() {
            problems
                .add(&path, format!("must be a mapping of keys to values, not {}", kind(value)));
        }
        Self { mapping, path, taken: Vec::new(), problems }
    }

    /// Where sections inside this one put their problems.
    pub(super) fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// Whether there is anything to read, so that a missing key is worth a problem.
    pub(super) fn is_mapping(&self) -> bool {
        self.mapping.is_some()
    }

    /// The value of a key; null counts as left out.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.taken.push(key);
        self.mapping?.get(key).filter(|value| !value.is_null())
    }

    /// A string.
    pub(super) fn text(&mut self, key: &'static str) -> Option<&'a str> {
        let value = self.take(key)?;
        value.as_str().or_else(|| {
            self.problem(key, format!("must be a string, not {}", kind(value)));
            None
        })
    }

    /// A string that `parse` accepts; else the problem is `message`.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        message: &str,
    ) -> Option<T> {
        let text = self.text(key)?;
        parse(text).or_else(|| {
            self.problem(key, format!("must be {message}, not `{text}`"));
            None
        })
    }

    /// A whole number in a range.
    pub(super) fn port(&mut self, key: &'static str) -> Option<u16> {
        let value = self.take(key)?;
        let port = value.as_u64().and_then(|n| u16::try_from(n).ok()).filter(|port| *port > 0);
        if port.is_none() {
            let found = value.as_u64().map_or_else(|| kind(value).into(), |n| n.to_string());
            self.problem(key, format!("must be a port from 1 to 65535, not {found}"));
        }
        port
    }

    /// A mapping.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'a>> {
        let value = self.take(key)?;
        Some(Section::new(value, self.path_of(key), self.problems))
    }

    /// The path of a key in this section.
    pub(super) fn path_of(&self, key: &str) -> Vec<String> {
        let mut path = self.path.clone();
        path.push(key.into());
        path
    }

    /// Notes that the value of a key is wrong.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        self.problems.add(&self.path_of(key), message);
    }

    /// Notes that something is wrong with the section as a whole.
    pub(super) fn own_problem(&self, message: impl Into<String>) {
        self.problems.add(&self.path, message);
    }

    /// The keys that are there, with their values. All of them count as known.
    pub(super) fn entries(&mut self) -> Vec<(String, &'a Value)> {
        let mut entries = Vec::new();
        for (key, value) in self.mapping.into_iter().flatten() {
            match key.as_str() {
                Some(key) => entries.push((key.into(), value)),
                None => self.own_problem(format!("keys must be strings, not {}", kind(key))),
            }
        }
        entries
    }

    /// Ends the reading: keys that nobody took are unknown.
    pub(super) fn finish(self) {
        for key in self.mapping.into_iter().flatten().map(|(key, _)| key) {
            let Some(key) = key.as_str() else {
                self.own_problem(format!("keys must be strings, not {}", kind(key)));
                continue;
            };
            if !self.taken.contains(&key) {
                self.problem(key, self.unknown(key));
            }
        }
    }

    fn unknown(&self, key: &str) -> String {
        let close = |known: &&&str| strsim::jaro_winkler(key, known) > 0.8;
        match self
            .taken
            .iter()
            .filter(close)
            .max_by(|a, b| strsim::jaro_winkler(key, a).total_cmp(&strsim::jaro_winkler(key, b)))
        {
            Some(known) => format!("is not a key here; did you mean `{known}`?"),
            None => format!("is not a key here; known are {}", self.taken.join(", ")),
        }
    }
}

/// What a value is, with its article.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged(_) => "a tagged value",
    }
}
