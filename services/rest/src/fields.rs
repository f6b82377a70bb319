//! Reads a request body: a JSON object whose members are checked one by one, so that an answer
//! can name every bad field at once.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime, Time};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::datetime;

/// What is wrong with one field of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The member's name; `body` where the body as a whole is wrong.
    pub field: &'static str,
    /// What it must be, as the rest of a sentence that begins with the field.
    pub message: String,
}

/// The members of a body, and the problems found so far.
#[derive(Debug)]
pub struct Fields<'a> {
    members: Members<'a>,
    problems: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Reads a body as an object. Of equal keys the last counts, as in Python.
    pub fn parse(body: &'a [u8]) -> Result<Self, FieldError> {
        let wrong = |message| FieldError { field: "body", message };
        let text = std::str::from_utf8(body)
            .map_err(|error| wrong(format!("is not valid JSON: {error}")))?;
        match serde_json::from_str(text) {
            Ok(members) => Ok(Self { members, problems: Vec::new() }),
            // Only a body that is refused is read twice.
            Err(error) => Err(wrong(match serde_json::from_str::<Member<'_>>(text) {
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

    /// As [`Self::text`], in one line: it becomes a header, in which line breaks would
    /// begin another.
    pub fn line(&mut self, field: &'static str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.text(field, length)?;
        if text.chars().any(char::is_control) {
            let message = "must have no line breaks or other control characters";
            return self.problem(field, message.into());
        }
        Some(text)
    }

    /// A string of at most `most` code points; absent, it is empty. `null` is not a string:
    /// the first EventPost answered it with 422, too.
    pub fn optional_text(&mut self, field: &'static str, most: usize) -> Option<String> {
        match self.members.last(field) {
            None => Some(String::new()),
            Some(_) => self.text(field, 0..=most),
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

    /// A required string that `parse` accepts; else the problem is `message`.
    pub fn parsed<T>(
        &mut self,
        field: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        message: &str,
    ) -> Option<T> {
        let text = self.string(field)?;
        parse(&text).or_else(|| self.problem(field, message.into()))
    }

    /// The model, or every problem that was found while it was read.
    pub fn finish<T>(self, model: Option<T>) -> Result<T, Vec<FieldError>> {
        match model {
            Some(model) if self.problems.is_empty() => Ok(model),
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

/// Members in the order of the body. They are few: looking through them costs less
/// than a table of them would, and text without escapes stays where it is.
#[derive(Debug)]
struct Members<'a>(Vec<(Cow<'a, str>, Member<'a>)>);

impl<'a> Members<'a> {
    fn last(&mut self, name: &str) -> Option<&mut Member<'a>> {
        self.0.iter_mut().rev().find(|(key, _)| key == name).map(|(_, member)| member)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(key) = map.next_key::<Member<'de>>()? {
                    // The key of an object is a text.
                    let Member::Text(key) = key else { continue };
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// The value of a member. Fields are strings: of anything else only its kind
/// matters, and its content is skipped without being kept.
#[derive(Debug)]
enum Member<'a> {
    Text(Cow<'a, str>),
    Null,
    Boolean,
    Number,
    List,
    Object,
}

impl Member<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Member<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Member<'de>, E> {
        Ok(Member::Boolean)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Member<'de>, E> {
        Ok(Member::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Member<'de>, E> {
        Ok(Member::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Member<'de>, E> {
        Ok(Member::Number)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Member<'de>, E> {
        Ok(Member::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Member<'de>, E> {
        Ok(Member::Text(text.to_owned().into()))
    }

    fn visit_unit<E>(self) -> Result<Member<'de>, E> {
        Ok(Member::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Member<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Member<'de>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_error(body: &str) -> String {
        let error = Fields::parse(body.as_bytes()).unwrap_err();
        assert_eq!(error.field, "body");
        error.message
    }

    #[test]
    fn a_body_that_is_no_object_is_named_for_what_it_is() {
        for (body, kind) in [
            ("\"hello\"", "a string"),
            ("5", "a number"),
            ("null", "null"),
            ("true", "a boolean"),
            ("[{}]", "a list"),
        ] {
            assert_eq!(body_error(body), format!("must be a JSON object, not {kind}"));
        }
        assert!(body_error("{\"title\": ").starts_with("is not valid JSON: EOF"));
        assert!(Fields::parse(b"{\"title\": \"\xff\"}").is_err());
    }

    #[test]
    fn every_problem_is_collected_in_order() {
        let mut fields =
            Fields::parse(br#"{"b": 5, "c": "2020-13-01", "d": ["x"], "e": "toolong"}"#).unwrap();
        let none = (
            fields.text("a", 1..=3),
            fields.text("b", 1..=3),
            fields.date("c"),
            fields.optional_text("d", 3),
            fields.optional_text("e", 3),
        );
        assert_eq!(none, (None, None, None, None, None));
        let problems = fields.finish::<()>(None).unwrap_err();
        let text: Vec<_> = problems.iter().map(|p| format!("{} {}", p.field, p.message)).collect();
        assert_eq!(
            text,
            [
                "a is required",
                "b must be a string, not a number",
                "c must be a date as YYYY-MM-DD",
                "d must be a string, not a list",
                "e must have at most 3 characters, not 7",
            ]
        );
    }

    #[test]
    fn lengths_count_code_points() {
        let mut fields = Fields::parse(r#"{"a": "ñ日🎉", "b": "ñ日🎉x"}"#.as_bytes()).unwrap();
        assert_eq!(fields.text("a", 1..=3).as_deref(), Some("ñ日🎉"));
        assert_eq!(fields.text("b", 1..=3), None);
    }

    #[test]
    fn optional_text_is_empty_when_absent_and_refused_when_null() {
        let mut fields = Fields::parse(br#"{"a": null}"#).unwrap();
        assert_eq!(fields.optional_text("b", 3).as_deref(), Some(""));
        assert_eq!(fields.optional_text("a", 3), None);
        let problem = &fields.finish::<()>(None).unwrap_err()[0];
        assert_eq!((problem.field, problem.message.as_str()), ("a", "must be a string, not null"));
    }

    #[test]
    fn of_equal_keys_the_last_counts() {
        let mut fields = Fields::parse(br#"{"a": "one", "a": "two"}"#).unwrap();
        assert_eq!(fields.text("a", 1..=3).as_deref(), Some("two"));
    }
}
