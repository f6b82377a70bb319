//! Validates a request body: a JSON object whose fields are validated one by one, so that the
//! answer names every invalid field.

mod members;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime, Time};

use crate::datetime;
use members::{Member, Members};

/// What is wrong with one field of a body, or one parameter of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Its name; `body` for the body as a whole.
    pub field: &'static str,
    /// What is wrong, as a sentence that begins with the name.
    pub message: String,
}

/// The fields of a body, and the problems found so far.
#[derive(Debug)]
pub struct Fields<'a> {
    members: Members<'a>,
    problems: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Parses a body as an object. Of equal keys the last counts, as in Python.
    pub fn parse(body: &'a [u8]) -> Result<Self, FieldError> {
        let invalid = |message| FieldError { field: "body", message };
        let text = std::str::from_utf8(body)
            .map_err(|error| invalid(format!("is not valid JSON: {error}")))?;
        match serde_json::from_str(text) {
            Ok(members) => Ok(Self { members, problems: Vec::new() }),
            // Only a body that is refused is parsed twice.
            Err(error) => Err(invalid(match serde_json::from_str::<Member<'_>>(text) {
                Ok(Member::Object) | Err(_) => format!("is not valid JSON: {error}"),
                Ok(other) => format!("must be a JSON object, not {}", other.kind()),
            })),
        }
    }

    /// A required string whose length in Unicode code points is in `length`.
    pub fn text(&mut self, field: &'static str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.string(field)?;
        self.check_length(field, &text, length).map(|()| text.into_owned())
    }

    /// Like [`Self::text`], but one line: it becomes a mail header, in which a line break would
    /// begin another one.
    pub fn line(&mut self, field: &'static str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.label(field, length)?;
        if text.chars().any(char::is_control) {
            let message = "must have no line breaks or other control characters";
            return self.problem(field, message.into());
        }
        Some(text)
    }

    /// Like [`Self::text`], for what is shown beside other text, which must not change the order of
    /// that: it has no control characters that do, and no NUL. Line breaks are allowed, as in the first
    /// EventPost.
    pub fn label(&mut self, field: &'static str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.text(field, length)?;
        if let Some(bad) = text.chars().find(|c| *c == '\0' || turns_text(*c)) {
            let code = u32::from(bad);
            return self.problem(field, format!("must not have the character U+{code:04X}"));
        }
        Some(text)
    }

    /// Like [`Self::label`], of at most `most` code points, empty if absent. `null` is refused, as
    /// in the first EventPost.
    pub fn optional_label(&mut self, field: &'static str, most: usize) -> Option<String> {
        match self.members.last(field) {
            None => Some(String::new()),
            Some(_) => self.label(field, 0..=most),
        }
    }

    /// A required date, `YYYY-MM-DD`.
    pub fn date(&mut self, field: &'static str) -> Option<Date> {
        self.parsed(field, datetime::parse_date, "must be a date as YYYY-MM-DD")
    }

    /// A required time of day, `HH:MM:SS`.
    pub fn time(&mut self, field: &'static str) -> Option<Time> {
        self.parsed(field, datetime::parse_time, "must be a time as HH:MM:SS")
    }

    /// A required point in time, `YYYY-MM-DDTHH:MM:SS`, in UTC or with an offset.
    pub fn datetime(&mut self, field: &'static str) -> Option<DateTime> {
        let message = "must be a date and time as YYYY-MM-DDTHH:MM:SS, with or without an offset";
        self.parsed(field, datetime::parse_datetime, message)
    }

    /// A required string that `parse` accepts; `message` is the problem if it does not.
    pub fn parsed<T>(
        &mut self,
        field: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        message: &str,
    ) -> Option<T> {
        let text = self.string(field)?;
        parse(&text).or_else(|| self.problem(field, message.into()))
    }

    /// The resource, or every problem that was found while its fields were read.
    pub fn finish<T>(self, resource: Option<T>) -> Result<T, Vec<FieldError>> {
        match resource {
            Some(resource) if self.problems.is_empty() => Ok(resource),
            _ => Err(self.problems),
        }
    }

    fn string(&mut self, field: &'static str) -> Option<Cow<'a, str>> {
        let message = match self.members.last(field) {
            Some(Member::Text(text)) => return Some(std::mem::take(text)),
            None => "is required".into(),
            Some(other) => format!("must be a string, not {}", other.kind()),
        };
        self.problem(field, message)
    }

    fn check_length(
        &mut self,
        field: &'static str,
        text: &str,
        length: RangeInclusive<usize>,
    ) -> Option<()> {
        let count = text.chars().count();
        if length.contains(&count) {
            return Some(());
        }
        let (least, most) = length.into_inner();
        let message = match least {
            0 => format!("must have at most {most} characters, not {count}"),
            _ => format!("must have {least} to {most} characters, not {count}"),
        };
        self.problem(field, message)
    }

    fn problem<T>(&mut self, field: &'static str, message: String) -> Option<T> {
        self.problems.push(FieldError { field, message });
        None
    }
}

/// Whether a character embeds, overrides or isolates a direction of text
/// ([UAX #9](https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters)). Marks, which
/// ordinary texts of scripts from right to left have, do not.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
