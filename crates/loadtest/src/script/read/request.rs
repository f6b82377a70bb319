//! Reads a scenario's requests: what is sent, what is extracted from the response, and what is
//! asserted about it.

use hyper::Method;
use regex::bytes::Regex;
use serde_json_path::JsonPath;
use serde_yaml::Value;
use support::yaml::kind;

use super::scenario::{Common, headers, redirects};
use super::{Files, Problems, Section, Template, duration, spelled_out, template};
use crate::script::assert::{Assertion, Pattern};
use crate::script::extract::{Extractor, Group, Source};
use crate::script::reply::Subject;
use crate::script::{Request, in_path};

/// What Taurus knows and this program does not do.
const UNSUPPORTED: &[&str] = &[
    "assert-jsonpath",
    "assert-xpath",
    "body-file-encoding",
    "content-encoding",
    "extract-boundary",
    "extract-css-jquery",
    "extract-xpath",
    "jsr223",
    "upload-files",
];
const EXTRACTOR: &[&str] = &["concat", "from-variable", "scope"];
/// What a variable is where nothing matches and nothing is said; Taurus's default.
const NOT_FOUND: &str = "NOT_FOUND";

pub(super) fn one(
    value: &Value,
    path: Vec<String>,
    common: &Common,
    files: &Files,
    problems: &Problems,
) -> Option<Request> {
    let value = spelled_out(value, "url");
    let mut section = Section::new(&value, path, problems);
    let url = section.required("url", |section| template(section, "url"));
    if let Some(url) = &url {
        if !url.start().starts_with('/') {
            section.problem("url", "must begin with /; `default-address` says where it goes");
        } else if !url.allows(in_path) {
            section.problem("url", "has a blank or another character that must be percent-encoded");
        }
    }
    let method = section.parsed("method", |text| text.to_uppercase().parse().ok(), "a method");
    let label = section.text("label").or(section.text("url")).unwrap_or_default().to_owned();
    let body = body(&mut section, files);
    let body_file = section.text("body-file").map(str::to_owned);
    let own = section.section("headers").map(headers).unwrap_or_default();
    let mut headers = common.headers.clone();
    headers.retain(|(name, _)| own.iter().all(|(other, _)| name != other));
    headers.extend(own);
    let timeout = duration(&mut section, "timeout").unwrap_or(common.timeout);
    let think_time = duration(&mut section, "think-time").unwrap_or(common.think_time);
    let mut extractors = extractors(&mut section, "extract-regexp", "regexp", regexp);
    extractors.extend(self::extractors(&mut section, "extract-jsonpath", "jsonpath", json_path));
    let assertions = assertions(&mut section);
    let redirects_are_answers = redirects(&mut section, common.redirects_are_answers);
    section.unsupported(UNSUPPORTED);
    section.finish();
    Some(Request {
        label,
        method: method.unwrap_or(Method::GET),
        path: url?,
        headers,
        body,
        body_file,
        timeout,
        think_time,
        extractors,
        assertions,
        redirects_are_answers,
    })
}

/// The body: of a file it is what the file has, without any variables.
fn body(section: &mut Section<'_>, files: &Files) -> Option<Template> {
    match (template(section, "body"), section.text("body-file")) {
        (body, None) => body,
        (None, Some(name)) => match files.read(name) {
            Ok(text) => Some(Template::raw(&text)),
            Err(error) => {
                section.problem("body-file", format!("`{name}` cannot be read: {error}"));
                None
            }
        },
        (Some(_), Some(_)) => {
            section.own_problem("has both `body` and `body-file`");
            None
        }
    }
}

/// Reads a mapping of variables to where their values are found, by `source`.
fn extractors(
    section: &mut Section<'_>,
    key: &'static str,
    short: &'static str,
    source: fn(&mut Section<'_>) -> (Option<Source>, u32),
) -> Vec<Extractor> {
    let Some(mut section) = section.section(key) else { return Vec::new() };
    let entries = section.entries();
    let extractors = entries.into_iter().filter_map(|(variable, value)| {
        let value = spelled_out(value, short);
        let path = section.path_of(&variable);
        let mut section = Section::new(&value, path, section.problems());
        let (source, match_no) = source(&mut section);
        let match_no = section.whole("match-no", 0..=1_000_000).unwrap_or(match_no);
        let default = section.text("default").unwrap_or(NOT_FOUND).to_owned();
        section.unsupported(EXTRACTOR);
        section.finish();
        Some(Extractor { variable, source: source?, match_no, default })
    });
    extractors.collect()
}

/// Where a regular expression finds a value, and which match it takes where nothing is
/// said: the first.
fn regexp(section: &mut Section<'_>) -> (Option<Source>, u32) {
    let text = section.required("regexp", |section| section.text("regexp"));
    let regexp = text.and_then(|text| expression(section, "regexp", text));
    let template = match section.take("template") {
        None => Some(Group::number(1)),
        Some(Value::Number(number)) => Group::new(&number.to_string()),
        Some(value) => value.as_str().and_then(Group::new),
    };
    if template.is_none() {
        section.problem("template", "must be the number of a group, or like $1$");
    }
    let subject = subject(section);
    let (Some(regexp), Some(template)) = (regexp, template) else { return (None, 1) };
    if template.greatest() >= regexp.captures_len() {
        let groups = regexp.captures_len() - 1;
        section.problem("regexp", format!("has {groups} groups, fewer than the template asks for"));
    }
    (Some(Source::Regexp { regexp, subject, template }), 1)
}

/// Where a JSON path finds a value, and which match it takes where nothing is said: any.
fn json_path(section: &mut Section<'_>) -> (Option<Source>, u32) {
    let text = section.required("jsonpath", |section| section.text("jsonpath"));
    let path = text.and_then(|text| {
        JsonPath::parse(text).map_err(|error| section.problem("jsonpath", error.to_string())).ok()
    });
    (path.map(Source::JsonPath), 0)
}

fn assertions(section: &mut Section<'_>) -> Vec<Assertion> {
    let items = section.list("assert").unwrap_or_default();
    let problems = section.problems();
    let assertions = items.into_iter().filter_map(|(path, value)| {
        let value = spelled_out(value, "contains");
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

/// One pattern, or a list of them.
fn patterns(section: &Section<'_>, contains: &Value, is_regexp: bool) -> Vec<Pattern> {
    let one = std::slice::from_ref(contains);
    let items = contains.as_sequence().map_or(one, Vec::as_slice);
    let pattern = |item: &Value| {
        let text = match item {
            Value::String(text) => text.clone(),
            // A status needs no quotes.
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
