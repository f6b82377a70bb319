//! This module owns what each key of a script means and what its value must be.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::header::HeaderName;
use serde_yaml::Value;

use super::extract::{Extractor, Group};
use super::template::Template;
use super::{Execution, Request, Scenario, Script};
use crate::http::Endpoint;
use crate::yaml::{Problems, Section, kind};

/// Answers that take longer have failed, where the script says nothing.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What Taurus knows and this program does not do.
const TOP: &[&str] =
    &["cli", "included-configs", "modules", "provisioning", "reporting", "services", "settings"];
const EXECUTION: &[&str] = &["executor", "files", "locations"];
const SCENARIO: &[&str] = &[
    "content-encoding",
    "cookies",
    "data-sources",
    "random-source-ip",
    "retrieve-resources",
    "script",
    "store-cache",
    "store-cookie",
    "use-dns-cache-mgr",
    "variables",
    "follow-redirects",
];
const REQUEST: &[&str] = &[
    "assert",
    "assert-jsonpath",
    "assert-xpath",
    "body-file-encoding",
    "extract-css-jquery",
    "extract-jsonpath",
    "extract-xpath",
    "follow-redirects",
    "jsr223",
    "upload-files",
];

/// Scenarios by name; one with problems is there as `None`, so that it is not reported as
/// missing too.
type Scenarios = BTreeMap<String, Option<Arc<Scenario>>>;

/// Reads the whole script.
pub(super) fn script(root: &Value, folder: &Path, problems: &Problems) -> Option<Script> {
    let mut top = Section::new(root, Vec::new(), problems);
    let scenarios = top.required("scenarios", |top| top.section("scenarios"));
    let scenarios = scenarios.map(|section| self::scenarios(section, folder)).unwrap_or_default();
    let items = top.required("execution", |top| top.list("execution"));
    let executions = items.and_then(|items| {
        items
            .into_iter()
            .map(|(path, value)| execution(Section::new(value, path, problems), &scenarios))
            .map(|execution| execution.map(Arc::new))
            .collect()
    });
    top.unsupported(TOP);
    top.finish();
    Some(Script { executions: executions? })
}

fn execution(mut section: Section<'_>, scenarios: &Scenarios) -> Option<Execution> {
    let scenario = section.required("scenario", |section| section.text("scenario"));
    let scenario = scenario.and_then(|name| {
        let scenario = scenarios.get(name);
        if scenario.is_none() {
            section.problem("scenario", format!("there is no scenario `{name}`"));
        }
        scenario?.clone()
    });
    let users = section.whole("concurrency", 1..=100_000);
    let throughput = section.number("throughput").filter(|rate| *rate > 0.0);
    let ramp_up = duration(&mut section, "ramp-up");
    let steps = section.whole("steps", 1..=100_000);
    let hold_for = duration(&mut section, "hold-for");
    let iterations = section.whole("iterations", 1..=u32::MAX);
    let delay = duration(&mut section, "delay");
    section.unsupported(EXECUTION);
    if section.is_mapping() && hold_for.is_none() && ramp_up.is_none() && iterations.is_none() {
        section.own_problem("needs `hold-for`, `ramp-up` or `iterations` to come to an end");
    }
    section.finish();
    Some(Execution {
        scenario: scenario?,
        endpoint: None,
        users: users.unwrap_or(1),
        throughput,
        ramp_up: ramp_up.unwrap_or_default(),
        steps,
        hold_for,
        iterations,
        delay: delay.unwrap_or_default(),
    })
}

fn scenarios(mut section: Section<'_>, folder: &Path) -> Scenarios {
    let entries = section.entries();
    let scenarios = entries.into_iter().map(|(name, value)| {
        let section = Section::new(value, section.path_of(&name), section.problems());
        let scenario = scenario(section, &name, folder).map(Arc::new);
        (name, scenario)
    });
    scenarios.collect()
}

/// What requests have in common.
struct Common {
    headers: Vec<(HeaderName, Template)>,
    timeout: Duration,
    think_time: Duration,
}

fn scenario(mut section: Section<'_>, name: &str, folder: &Path) -> Option<Scenario> {
    let address = section.required("default-address", |section| section.text("default-address"));
    let endpoint = address.and_then(|text| {
        let endpoint = text.trim_end_matches('/').parse::<Endpoint>();
        endpoint.map_err(|message| section.problem("default-address", message)).ok()
    });
    let common = Common {
        headers: section.section("headers").map(headers).unwrap_or_default(),
        timeout: duration(&mut section, "timeout").unwrap_or(TIMEOUT),
        think_time: duration(&mut section, "think-time").unwrap_or_default(),
    };
    let keepalive = section.boolean("keepalive");
    let items = section.required("requests", |section| section.list("requests"));
    if items.as_ref().is_some_and(Vec::is_empty) {
        section.problem("requests", "must have at least one request");
    }
    let problems = section.problems();
    let requests: Vec<_> = items
        .unwrap_or_default()
        .into_iter()
        .map(|(path, value)| request(value, path, &common, folder, problems))
        .collect();
    section.unsupported(SCENARIO);
    section.finish();
    Some(Scenario {
        name: name.into(),
        endpoint: endpoint?,
        keepalive: keepalive.unwrap_or(true),
        requests: requests.into_iter().collect::<Option<_>>()?,
    })
}

fn request(
    value: &Value,
    path: Vec<String>,
    common: &Common,
    folder: &Path,
    problems: &Problems,
) -> Option<Request> {
    let value = spelled_out(value, "url");
    let mut section = Section::new(&value, path, problems);
    let url = section.required("url", |section| template(section, "url"));
    if url.as_ref().is_some_and(|url| !url.start().starts_with('/')) {
        section.problem("url", "must begin with /; `default-address` says where it goes");
    }
    let method = section.parsed("method", |text| text.to_uppercase().parse().ok(), "a method");
    let label = section.text("label").or(section.text("url")).unwrap_or_default().to_owned();
    let body = match (template(&mut section, "body"), section.text("body-file")) {
        (body, None) => body,
        (None, Some(name)) => match fs::read_to_string(folder.join(name)) {
            Ok(text) => filled(&section, "body-file", &text),
            Err(error) => {
                section.problem("body-file", format!("`{name}` cannot be read: {error}"));
                None
            }
        },
        (Some(_), Some(_)) => {
            section.own_problem("has both `body` and `body-file`");
            None
        }
    };
    let own = section.section("headers").map(headers).unwrap_or_default();
    let mut headers = common.headers.clone();
    headers.retain(|(name, _)| own.iter().all(|(other, _)| name != other));
    headers.extend(own);
    let timeout = duration(&mut section, "timeout").unwrap_or(common.timeout);
    let think_time = duration(&mut section, "think-time").unwrap_or(common.think_time);
    let extractors = section.section("extract-regexp").map(extractors).unwrap_or_default();
    section.unsupported(REQUEST);
    section.finish();
    Some(Request {
        label,
        method: method.unwrap_or(Method::GET),
        path: url?,
        headers,
        body,
        timeout,
        think_time,
        extractors,
    })
}

fn headers(mut section: Section<'_>) -> Vec<(HeaderName, Template)> {
    let entries = section.entries();
    let headers = entries.into_iter().filter_map(|(name, value)| {
        let Some(text) = value.as_str() else {
            section.problem(&name, format!("must be a string, not {}", kind(value)));
            return None;
        };
        let Ok(header) = name.parse::<HeaderName>() else {
            section.problem(&name, "is no name of a header");
            return None;
        };
        Some((header, filled(&section, &name, text)?))
    });
    headers.collect()
}

fn extractors(mut section: Section<'_>) -> Vec<Extractor> {
    let entries = section.entries();
    let extractors = entries.into_iter().filter_map(|(variable, value)| {
        let path = section.path_of(&variable);
        let value = spelled_out(value, "regexp");
        extractor(Section::new(&value, path, section.problems()), variable)
    });
    extractors.collect()
}

fn extractor(mut section: Section<'_>, variable: String) -> Option<Extractor> {
    let regexp = section.required("regexp", |section| section.text("regexp"));
    let regexp = regexp.and_then(|text| {
        let regexp = regex::bytes::Regex::new(text);
        regexp.map_err(|error| section.problem("regexp", error.to_string())).ok()
    });
    let match_no = section.whole("match-no", 0..=1_000_000);
    let default = section.text("default").map(str::to_owned);
    let template = match section.take("template") {
        None => Group::new("1"),
        Some(Value::Number(number)) => Group::new(&number.to_string()),
        Some(value) => value.as_str().and_then(Group::new),
    };
    if template.is_none() {
        section.problem("template", "must be the number of a group, or like $1$");
    }
    let subject = section.text("subject");
    if subject.is_some_and(|subject| subject != "body") {
        section.problem("subject", "only `body` is supported");
    }
    section.unsupported(&["scope", "from-variable"]);
    let (regexp, template) = (regexp?, template?);
    if template.greatest() >= regexp.captures_len() {
        let groups = regexp.captures_len() - 1;
        section.problem("regexp", format!("has {groups} groups, fewer than the template asks for"));
    }
    section.finish();
    Some(Extractor { variable, regexp, match_no: match_no.unwrap_or(1), template, default })
}

/// A value that may be a text alone, which stands for a mapping of `key` to it.
fn spelled_out<'a>(value: &'a Value, key: &str) -> Cow<'a, Value> {
    if value.is_string() {
        Cow::Owned(serde_yaml::Mapping::from_iter([(key.into(), value.clone())]).into())
    } else {
        Cow::Borrowed(value)
    }
}

fn template(section: &mut Section<'_>, key: &'static str) -> Option<Template> {
    let text = section.text(key)?;
    filled(section, key, text)
}

fn filled(section: &Section<'_>, key: &str, text: &str) -> Option<Template> {
    let template = Template::new(text).map_err(|function| {
        section.problem(key, format!("calls {function}: functions are not supported"));
    });
    template.ok()
}

/// A time: a number of seconds, or like `1m30s`.
fn duration(section: &mut Section<'_>, key: &'static str) -> Option<Duration> {
    let value = section.take(key)?;
    let read = match value {
        Value::Number(number) => number.as_f64().and_then(seconds),
        Value::String(text) => read_duration(text),
        _ => None,
    };
    if read.is_none() {
        section.problem(key, "must be a time, like 30s, 1m30s or 500ms");
    }
    read
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

fn read_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if let Ok(number) = rest.parse() {
        return seconds(number);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let end = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let in_seconds = match &unit[..end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return None,
        };
        total += seconds(number * in_seconds)?;
        rest = unit[end..].trim_start();
    }
    (!text.trim().is_empty()).then_some(total)
}
