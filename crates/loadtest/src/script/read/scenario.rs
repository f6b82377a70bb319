//! Reads scenarios.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{self, HeaderName};
use support::http::Endpoint;
use support::yaml::kind;

use super::{
    Files, LocatedCriterion, Section, Template, criteria, duration, parse_template, request,
};
use crate::script::{Scenario, in_header};

/// How long responses may take if the script does not say it; Taurus's default.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Keys that Taurus knows and this program does not support.
const UNSUPPORTED: &[&str] = &[
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
];

/// Headers that follow from other keys, or that this program does not support.
const REFUSED: &[(HeaderName, &str)] = &[
    (header::CONTENT_LENGTH, "is computed; leave it out"),
    (header::TRANSFER_ENCODING, "is not supported; leave it out"),
    (header::CONNECTION, "follows from `keepalive`; leave it out"),
    (header::ACCEPT_ENCODING, "is not supported: responses are not decompressed"),
];

/// What a scenario says about all its requests.
pub(super) struct Common {
    pub(super) headers: Vec<(HeaderName, Template)>,
    pub(super) timeout: Duration,
    pub(super) think_time: Duration,
    pub(super) accepts_redirects: bool,
}

/// A scenario as it is read.
#[derive(Debug)]
pub(super) struct ReadScenario {
    /// `None` if it has problems, which have been reported.
    pub(super) scenario: Option<Arc<Scenario>>,
    /// The criteria of each execution of it.
    pub(super) criteria: Vec<LocatedCriterion>,
}

/// Scenarios by name.
pub(super) type Scenarios = BTreeMap<String, ReadScenario>;

/// Reads all scenarios.
pub(super) fn all(mut section: Section<'_>, files: &Files) -> Scenarios {
    let mut scenarios = Scenarios::new();
    for (name, value) in section.entries() {
        let section = Section::new(value, section.path_of(&name), section.problems());
        let scenario = one(section, &name, files);
        scenarios.insert(name, scenario);
    }
    scenarios
}

fn one(mut section: Section<'_>, name: &str, files: &Files) -> ReadScenario {
    let address = section.required("default-address", |section| section.text("default-address"));
    let endpoint = address.and_then(|text| {
        let endpoint = text.trim_end_matches('/').parse::<Endpoint>();
        endpoint.map_err(|message| section.problem("default-address", message)).ok()
    });
    let common = Common {
        headers: section.section("headers").map(headers).unwrap_or_default(),
        timeout: duration(&mut section, "timeout").unwrap_or(TIMEOUT),
        think_time: duration(&mut section, "think-time").unwrap_or_default(),
        accepts_redirects: accepts_redirects(&mut section, false),
    };
    let keepalive = section.boolean("keepalive");
    let criteria = criteria(&mut section);
    let items = section.required("requests", |section| section.list("requests"));
    if items.as_ref().is_some_and(Vec::is_empty) {
        section.problem("requests", "must have at least one request");
    }
    let problems = section.problems();
    let requests: Vec<_> = items
        .unwrap_or_default()
        .into_iter()
        .map(|(path, value)| request::one(value, path, &common, files, problems))
        .collect();
    section.unsupported(UNSUPPORTED);
    section.finish();
    let scenario = || {
        Some(Scenario {
            name: name.into(),
            endpoint: endpoint?,
            keepalive: keepalive.unwrap_or(true),
            requests: requests.into_iter().collect::<Option<_>>()?,
        })
    };
    ReadScenario { scenario: scenario().map(Arc::new), criteria }
}

/// Whether a redirect is a success, as it is if it need not be followed. Following redirects
/// is not supported.
pub(super) fn accepts_redirects(section: &mut Section<'_>, default: bool) -> bool {
    match section.boolean("follow-redirects") {
        Some(true) => {
            section.problem("follow-redirects", "is not supported; only `false` is");
            default
        }
        Some(false) => true,
        None => default,
    }
}

pub(super) fn headers(mut section: Section<'_>) -> Vec<(HeaderName, Template)> {
    let entries = section.entries();
    let headers = entries.into_iter().filter_map(|(name, value)| {
        let Some(text) = value.as_str() else {
            section.problem(&name, format!("must be a string, not {}", kind(value)));
            return None;
        };
        let Ok(header) = name.parse::<HeaderName>() else {
            section.problem(&name, "is not a header name");
            return None;
        };
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == header) {
            section.problem(&name, *why);
        }
        let value = parse_template(&section, &name, text)?;
        if !value.allows(in_header) {
            section.problem(&name, "must be one line");
        }
        Some((header, value))
    });
    headers.collect()
}
