//! Reads what is extracted from a response, and what is asserted about it.

use regex::bytes::Regex;
use serde_json_path::JsonPath;
use serde_yaml::Value;
use support::yaml::kind;

use super::{Section, expanded};
use crate::script::assert::{Assertion, Pattern};
use crate::script::extract::{Extractor, MatchTemplate, Source};
use crate::script::response::Subject;

/// Keys that Taurus knows and this program does not support.
const UNSUPPORTED: &[&str] = &["concat", "from-variable", "scope"];
/// The value of a variable if nothing matches; Taurus's default.
const NOT_FOUND: &str = "NOT_FOUND";

/// How an extractor finds its value.
struct Finder {
    /// `None` if it has problems, which have been reported.
    source: Option<Source>,
    /// Which match is taken if the script does not say it.
    match_no: u32,
}

/// Reads all extractors of a request.
pub(super) fn extractors(section: &mut Section<'_>) -> Vec<Extractor> {
    let mut all = extractors_by(section, "extract-regexp", "regexp", regexp);
    all.extend(extractors_by(section, "extract-jsonpath", "jsonpath", json_path));
    all
}

/// Reads a mapping of variables to how their values are found; a string is short for `short`.
fn extractors_by(
    section: &mut Section<'_>,
    key: &'static str,
    short: &'static str,
    finder: fn(&mut Section<'_>) -> Finder,
) -> Vec<Extractor> {
    let Some(mut section) = section.section(key) else { return Vec::new() };
    let entries = section.entries();
    let extractors = entries.into_iter().filter_map(|(variable, value)| {
        let value = expanded(value, short);
        let path = section.path_of(&variable);
        let mut section = Section::new(&value, path, section.problems());
        let Finder { source, match_no } = finder(&mut section);
        let match_no = section.whole("match-no", 0..=1_000_000).unwrap_or(match_no);
        let default = section.text("default").unwrap_or(NOT_FOUND).to_owned();
        section.unsupported(UNSUPPORTED);
        section.finish();
        Some(Extractor { variable, source: source?, match_no, default })
    });
    extractors.collect()
}

/// Reads a regular expression, of which Taurus takes the first match.
fn regexp(section: &mut Section<'_>) -> Finder {
    Finder { source: regexp_source(section), match_no: 1 }
}

fn regexp_source(section: &mut Section<'_>) -> Option<Source> {
    let text = section.required("regexp", |section| section.text("regexp"));
    let regexp = text.and_then(|text| expression(section, "regexp", text));
    let template = match section.take("template") {
        None => Some(MatchTemplate::group(1)),
        Some(Value::Number(number)) => MatchTemplate::new(&number.to_string()),
        Some(value) => value.as_str().and_then(MatchTemplate::new),
    };
    if template.is_none() {
        section.problem("template", "must be the number of a group, or like $1$");
    }
    let subject = subject(section);
    let (regexp, template) = (regexp?, template?);
    if template.max_group() >= regexp.captures_len() {
        let groups = regexp.captures_len() - 1;
        section.problem("regexp", format!("has {groups} groups, fewer than the template uses"));
    }
    Some(Source::Regexp { regexp, subject, template })
}

/// Reads a JSON path, of which Taurus takes any match.
fn json_path(section: &mut Section<'_>) -> Finder {
    let text = section.required("jsonpath", |section| section.text("jsonpath"));
    let path = text.and_then(|text| {
        JsonPath::parse(text).map_err(|error| section.problem("jsonpath", error.to_string())).ok()
    });
    Finder { source: path.map(Source::JsonPath), match_no: 0 }
}

/// Reads all assertions about a response.
pub(super) fn assertions(section: &mut Section<'_>) -> Vec<Assertion> {
    let items = section.list("assert").unwrap_or_default();
    let problems = section.problems();
    let assertions = items.into_iter().filter_map(|(path, value)| {
        let value = expanded(value, "contains");
        assertion(Section::new(&value, path, problems))
    });
    assertions.collect()
}

fn assertion(mut section: Section<'_>) -> Option<Assertion> {
    let contains = section.required("contains", |section| section.take("contains"));
    let is_regexp = section.boolean("regexp").unwrap_or(true);
    let patterns = contains.map(|contains| patterns(&section, contains, is_regexp));
    let assertion = Assertion {
        subject: subject(&mut section),
        patterns: patterns?,
        not: section.boolean("not").unwrap_or(false),
        assume_success: section.boolean("assume-success").unwrap_or(false),
    };
    section.finish();
    Some(assertion)
}

/// Reads one pattern, or a list of patterns.
fn patterns(section: &Section<'_>, contains: &Value, is_regexp: bool) -> Vec<Pattern> {
    let one = std::slice::from_ref(contains);
    let items = contains.as_sequence().map_or(one, Vec::as_slice);
    let pattern = |item: &Value| {
        let text = match item {
            Value::String(text) => text.clone(),
            // A status need not be quoted.
            Value::Number(number) => number.to_string(),
            other => {
                let message = format!("must be strings, not {}", kind(other));
                section.problem("contains", message);
                return None;
            }
        };
        let source = if is_regexp { text.clone() } else { regex::escape(&text) };
        Some(Pattern { regexp: expression(section, "contains", &source)?, text })
    };
    items.iter().filter_map(pattern).collect()
}

fn expression(section: &Section<'_>, key: &str, text: &str) -> Option<Regex> {
    Regex::new(text).map_err(|error| section.problem(key, error.to_string())).ok()
}

fn subject(section: &mut Section<'_>) -> Subject {
    let subject = section.parsed("subject", Subject::new, "body, headers or http-code");
    subject.unwrap_or(Subject::Body)
}
