//! Reads scenarios.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{self, HeaderName};
use support::http::Endpoint;
use support::yaml::kind;

use super::{
    Files, Placed, Scenario, Scenarios, Section, Template, criteria, duration, filled, request,
};
use crate::script::in_header;

/// Answers that take longer have failed, where the script says nothing; Taurus's default.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What Taurus knows and this program does not do.
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

/// Headers that follow from the request itself, or mean what is not done here.
const REFUSED: &[(HeaderName, &str)] = &[
    (header::CONTENT_LENGTH, "is computed; leave it out"),
    (header::TRANSFER_ENCODING, "is not supported; leave it out"),
    (header::CONNECTION, "follows from `keepalive`; leave it out"),
    (header::ACCEPT_ENCODING, "is not supported: answers are not decompressed"),
];

/// What requests have in common.
pub(super) struct Common {
    pub(super) headers: Vec<(HeaderName, Template)>,
    pub(super) timeout: Duration,
    pub(super) think_time: Duration,
    pub(super) redirects_are_answers: bool,
}

/// Reads all scenarios, and the criteria of each.
pub(super) fn all(
    mut section: Section<'_>,
    files: &Files,
) -> (Scenarios, BTreeMap<String, Vec<Placed>>) {
    let (mut scenarios, mut criteria) = (Scenarios::new(), BTreeMap::new());
    for (name, value) in section.entries() {
        let section = Section::new(value, section.path_of(&name), section.problems());
        let (scenario, its) = one(section, &name, files);
        scenarios.insert(name.clone(), scenario.map(Arc::new));
        criteria.insert(name, its);
    }
    (scenarios, criteria)
}

fn one(mut section: Section<'_>, name: &str, files: &Files) -> (Option<Scenario>, Vec<Placed>) {
    let address = section.required("default-address", |section| section.text("default-address"));
    let endpoint = address.and_then(|text| {
        let endpoint = text.trim_end_matches('/').parse::<Endpoint>();
        endpoint.map_err(|message| section.problem("default-address", message)).ok()
    });
    let common = Common {
        headers: section.section("headers").map(headers).unwrap_or_default(),
        timeout: duration(&mut section, "timeout").unwrap_or(TIMEOUT),
        think_time: duration(&mut section, "think-time").unwrap_or_default(),
        redirects_are_answers: redirects(&mut section, false),
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
    (scenario(), criteria)
}

/// Whether redirects are taken as answers, which they are where they are not followed;
/// following them is not supported.
pub(super) fn redirects(section: &mut Section<'_>, default: bool) -> bool {
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
            section.problem(&name, "is no name of a header");
            return None;
        };
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == header) {
            section.problem(&name, *why);
        }
        let value = filled(&section, &name, text)?;
        if !value.allows(in_header) {
            section.problem(&name, "must be one line");
        }
        Some((header, value))
    });
    headers.collect()
}
