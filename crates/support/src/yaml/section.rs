//! Reads one mapping of a file: each key is taken once, problems are collected, and a key that
//! was never taken is reported as unknown.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use serde_yaml::{Mapping, Value};

/// Something wrong at a path of the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// The keys that lead there; `[2]` is the third item of a list.
    pub path: Vec<String>,
    pub message: String,
}

/// The problems found so far, in every section.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<Problem>>);

/// A mapping that is being read.
#[derive(Debug)]
pub struct Section<'a> {
    mapping: Option<&'a Mapping>,
    path: Vec<String>,
    taken: Vec<&'static str>,
    problems: &'a Problems,
}

impl Problems {
    /// Adds a problem at a path.
    pub fn add(&self, path: &[String], message: impl Into<String>) {
        self.0.borrow_mut().push(Problem { path: path.into(), message: message.into() });
    }

    /// All problems.
    pub fn into_inner(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

impl<'a> Section<'a> {
    /// Begins to read a value that must be a mapping.
    pub fn new(value: &'a Value, path: Vec<String>, problems: &'a Problems) -> Self {
        let mapping = value.as_mapping();
        if mapping.is_none() {
            problems
                .add(&path, format!("must be a mapping of keys to values, not {}", kind(value)));
        }
        Self { mapping, path, taken: Vec::new(), problems }
    }

    /// Where sections inside this one put their problems.
    pub fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// Whether there is anything to read, so that a missing key is worth a problem.
    pub fn is_mapping(&self) -> bool {
        self.mapping.is_some()
    }

    /// The value of a key; null counts as left out.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.taken.push(key);
        self.mapping?.get(key).filter(|value| !value.is_null())
    }

    /// The value of a key, without taking it.
    pub fn peek(&self, key: &str) -> Option<&'a Value> {
        self.mapping?.get(key)
    }

    /// Reads a key that must be there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        if self.is_mapping() && self.peek(key).is_none_or(Value::is_null) {
            self.own_problem(format!("`{key}` is missing"));
        }
        read(self)
    }

    /// A string.
    pub fn text(&mut self, key: &'static str) -> Option<&'a str> {
        let value = self.take(key)?;
        value.as_str().or_else(|| {
            self.problem(key, format!("must be a string, not {}", kind(value)));
            None
        })
    }

    /// A string that `parse` accepts; else the problem is `message`.
    pub fn parsed<T>(
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
    pub fn port(&mut self, key: &'static str) -> Option<u16> {
        let value = self.take(key)?;
        let port = value.as_u64().and_then(|n| u16::try_from(n).ok()).filter(|port| *port > 0);
        if port.is_none() {
            let found = value.as_u64().map_or_else(|| kind(value).into(), |n| n.to_string());
            self.problem(key, format!("must be a port from 1 to 65535, not {found}"));
        }
        port
    }

    /// A number of zero or more.
    pub fn number(&mut self, key: &'static str) -> Option<f64> {
        let value = self.take(key)?;
        let number = value.as_f64().filter(|number| number.is_finite() && *number >= 0.0);
        if number.is_none() {
            self.problem(key, format!("must be a number of at least 0, not {}", shown(value)));
        }
        number
    }

    /// A whole number in a range.
    pub fn whole(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.take(key)?;
        let whole = value.as_u64().and_then(|n| u32::try_from(n).ok());
        let whole = whole.filter(|n| range.contains(n));
        if whole.is_none() {
            let (least, most) = range.into_inner();
            let found = shown(value);
            self.problem(
                key,
                format!("must be a whole number from {least} to {most}, not {found}"),
            );
        }
        whole
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        if value.as_bool().is_none() {
            self.problem(key, format!("must be true or false, not {}", shown(value)));
        }
        value.as_bool()
    }

    /// The items of a list, each with its path.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<(Vec<String>, &'a Value)>> {
        let value = self.take(key)?;
        let Some(items) = value.as_sequence() else {
            self.problem(key, format!("must be a list, not {}", kind(value)));
            return None;
        };
        let item = |(n, value)| {
            let mut path = self.path_of(key);
            path.push(format!("[{n}]"));
            (path, value)
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// A mapping.
    pub fn section(&mut self, key: &'static str) -> Option<Section<'a>> {
        let value = self.take(key)?;
        Some(Section::new(value, self.path_of(key), self.problems))
    }

    /// The path of a key in this section.
    pub fn path_of(&self, key: &str) -> Vec<String> {
        let mut path = self.path.clone();
        path.push(key.into());
        path
    }

    /// Adds a problem with the value of a key.
    pub fn problem(&self, key: &str, message: impl Into<String>) {
        self.problems.add(&self.path_of(key), message);
    }

    /// Adds a problem with the section as a whole.
    pub fn own_problem(&self, message: impl Into<String>) {
        self.problems.add(&self.path, message);
    }

    /// The keys that are there, with their values. All of them count as known.
    pub fn entries(&mut self) -> Vec<(String, &'a Value)> {
        let mut entries = Vec::new();
        for (key, value) in self.mapping.into_iter().flatten() {
            match key.as_str() {
                Some(key) => entries.push((key.into(), value)),
                None => self.own_problem(format!("keys must be strings, not {}", kind(key))),
            }
        }
        entries
    }

    /// Takes keys that other programs know, and adds a problem for each.
    pub fn unsupported(&mut self, keys: &[&'static str]) {
        for key in keys {
            if self.mapping.is_some_and(|mapping| mapping.contains_key(*key)) {
                self.taken.push(key);
                self.problem(key, "is not supported; leave it out, or run the file with bzt");
            }
        }
    }

    /// Ends reading: each key that was not taken is unknown.
    pub fn finish(self) {
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

/// A path as people write it: `execution[1].steps`.
pub(super) fn joined(path: &[String]) -> String {
    let mut text = String::new();
    for part in path {
        if !text.is_empty() && !part.starts_with('[') {
            text.push('.');
        }
        text.push_str(part);
    }
    text
}

/// A value as a message quotes it: numbers and texts themselves, else what it is.
fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("`{text}`"),
        other => kind(other).into(),
    }
}

/// What a value is, with its article.
pub fn kind(value: &Value) -> &'static str {
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
