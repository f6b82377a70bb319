//! Reads scenarios.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use support::http::Endpoint;

use super::common::{Common, accepts_redirects, headers};
use super::{Files, LocatedCriterion, Section, criteria, duration, request};
use crate::script::Scenario;

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
