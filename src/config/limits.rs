//! Reads the keys of `limits`: what each client of a service may ask for. They become variables of
//! its environment.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_yaml::Value;
use support::yaml::{Section, kind};

use super::model::Service;

/// The keys whose values are numbers, and their variables.
const NUMBERS: [(&str, &str); 5] = [
    ("requests", "LIMIT_REQUESTS"),
    ("changes", "LIMIT_CHANGES"),
    ("searches", "LIMIT_SEARCHES"),
    ("reminders", "LIMIT_REMINDERS"),
    ("connections", "LIMIT_CONNECTIONS"),
];
const TRUSTED_PROXIES: &str = "TRUSTED_PROXIES";
const MAX: u32 = 1_000_000;

/// The variables of the limits that are given.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits(BTreeMap<String, String>);

/// Reads them.
pub(super) fn limits(mut section: Section<'_>) -> Limits {
    let mut variables = BTreeMap::new();
    for (key, variable) in NUMBERS {
        if let Some(number) = section.whole(key, 0..=MAX) {
            variables.insert(variable.into(), number.to_string());
        }
    }
    if let Some(proxies) = section.list("trusted_proxies") {
        let proxies: Vec<_> = proxies.iter().filter_map(|it| proxy(&section, it)).collect();
        // An empty list is one, too: it replaces the stack's.
        variables.insert(TRUSTED_PROXIES.into(), proxies.join(","));
    }
    section.finish();
    Limits(variables)
}

impl Limits {
    /// Sets the variables that a service does not have yet.
    pub(super) fn give_to(self, service: &mut Service) {
        for (variable, value) in self.0 {
            service.env.entry(variable).or_insert(value);
        }
    }
}

fn proxy<'a>(section: &Section<'_>, (path, value): &(Vec<String>, &'a Value)) -> Option<&'a str> {
    let text = value.as_str().filter(|text| is_network(text));
    if text.is_none() {
        let found = value.as_str().map_or_else(|| kind(value).into(), |text| format!("`{text}`"));
        let form = "must be an address or a network, like 10.0.0.0/8";
        section.problems().add(path, format!("{form}, not {found}"));
    }
    text
}

/// Reports services whose `env` sets a limit.
pub(super) fn check_env(section: &Section<'_>, env: &BTreeMap<String, String>) {
    for (key, variable) in NUMBERS.into_iter().chain([("trusted_proxies", TRUSTED_PROXIES)]) {
        if env.contains_key(variable) {
            section.problem("env", format!("has {variable}: use `limits: {{{key}: …}}` instead"));
        }
    }
}

/// Whether a text is an address or a network, as the services read it.
fn is_network(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || text.parse::<IpNet>().is_ok()
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{accepted, errors};

    #[test]
    fn a_service_has_its_own_limits_or_those_of_the_stack() {
        let text = "stack: s\nlimits: {requests: 100, trusted_proxies: [10.0.0.0/8, '2001:db8::1']}\n\
                    services:\n  events: {build: e}\n  \
                    notifications: {build: n, limits: {requests: 0, connections: 9}}\n";
        let config = accepted(text);
        let variables = |at: usize| {
            let env = config.services[at].env.iter();
            env.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        let proxies = "TRUSTED_PROXIES=10.0.0.0/8,2001:db8::1";
        assert_eq!(variables(0), format!("LIMIT_REQUESTS=100 {proxies}"));
        assert_eq!(variables(1), format!("LIMIT_CONNECTIONS=9 LIMIT_REQUESTS=0 {proxies}"));
    }

    #[test]
    fn limits_that_are_none_are_named() {
        let text = "stack: s\nlimits: {request: 1, changes: -1, trusted_proxies: [proxy, 10.0.0.0/33]}\n\
                    services:\n  events: {build: e}\n";
        let error = errors(text);
        for part in ["limits.request", "limits.changes", "not `proxy`", "not `10.0.0.0/33`"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
