//! Reads the keys of `page`, the page for people: where its reminders are created, and from
//! where it is opened. Both become environment variables of services once it is known where the
//! services are.

use std::collections::BTreeMap;

use rest::access::origins::Origin;
use support::yaml::Section;

use super::model::{Config, Name, Page, Placement, Reminders, Service};

/// Tells a service with a page where reminders are made.
const NOTIFICATIONS_URL: &str = "NOTIFICATIONS_URL";
/// Tells a service which pages may use it.
const ALLOW_ORIGINS: &str = "ALLOW_ORIGINS";

/// Where browsers find each service, by its name: URLs without a path, the first of which
/// is the one to use.
pub type Places = BTreeMap<String, Vec<String>>;

/// Reads them.
pub(super) fn page(mut section: Section<'_>) -> Option<Page> {
    let form = "the name of a service, or a URL like https://notifications.example.org";
    let reminders = section.required("reminders", |it| it.parsed("reminders", reminders, form));
    let form = "scheme, host and port, like https://events.example.org";
    let origin = section.parsed("origin", |text| text.parse::<Origin>().ok(), form);
    section.finish();
    Some(Page { reminders: reminders?, origin: origin.map(|it| it.as_str().to_owned()) })
}

fn reminders(text: &str) -> Option<Reminders> {
    if let Some(name) = Name::new(text) {
        return Some(Reminders::Service(name));
    }
    Origin::of_base_url(text).map(|_| Reminders::Url(text.to_owned()))
}

/// Finds pages whose reminders have nowhere to go.
pub(super) fn check(services: &[Service], mut problem: impl FnMut(&Service, String)) {
    for service in services {
        let Some(Page { reminders: Reminders::Service(name), .. }) = &service.page else {
            continue;
        };
        if !services.iter().any(|other| other.name == *name) {
            problem(service, format!("{name} is no service of this file, and no URL"));
        }
    }
    let both = |service: &&Service| service.page.is_some() && has(service, NOTIFICATIONS_URL);
    for service in services.iter().filter(both) {
        problem(service, format!("sets {NOTIFICATIONS_URL}, which `env` has"));
    }
}

fn has(service: &Service, variable: &str) -> bool {
    service.env.contains_key(variable)
}

impl Config {
    /// The services, told of each other where they are, and who may use them there.
    #[must_use]
    pub fn placed(&self, places: &Places, place: Placement<'_>) -> Self {
        let mut config = self.clone();
        config.tell_access(place);
        for service in &mut config.services {
            let told = self.told(service, places);
            // What the file says of a variable counts.
            for (name, value) in told {
                service.env.entry(name.to_owned()).or_insert(value);
            }
        }
        config
    }

    fn told(&self, service: &Service, places: &Places) -> Vec<(&'static str, String)> {
        let place = |name: &Name| places.get(name.as_str()).into_iter().flatten();
        let mut told = Vec::new();
        match service.page.as_ref().map(|page| &page.reminders) {
            Some(Reminders::Url(url)) => told.push((NOTIFICATIONS_URL, url.clone())),
            Some(Reminders::Service(name)) => {
                told.extend(place(name).next().map(|url| (NOTIFICATIONS_URL, url.clone())));
            }
            None => {}
        }
        let mut origins = Vec::new();
        for (other, page) in self.services.iter().filter_map(|it| Some((it, it.page.as_ref()?))) {
            if page.reminders == Reminders::Service(service.name.clone()) {
                origins.extend(page.origin.clone());
                origins.extend(place(&other.name).cloned());
            }
        }
        if !origins.is_empty() {
            told.push((ALLOW_ORIGINS, origins.join(",")));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Origin, Placement, parse};

    #[test]
    fn services_are_told_of_each_other() {
        let told = |page: &str| {
            let text = format!(
                "stack: s\nservices:\n  events: {{build: e, page: {{{page}}}}}\n  \
                 notes: {{build: n}}\n"
            );
            let config = parse(&text, Origin::File("test.yml".into()), None).unwrap();
            let places = [("events", "http://a:81"), ("notes", "http://b")];
            let places = places.map(|(name, url)| (name.to_owned(), vec![url.to_owned()]));
            let told = config.placed(&places.into_iter().collect(), Placement::Hosts);
            let is_of_access = |(name, _): &(String, String)| {
                ["ACCESS", "ACCESS_TOKENS_FILE"].contains(&name.as_str())
            };
            let env = told
                .services
                .iter()
                .map(|it| it.env.clone().into_iter().filter(|pair| !is_of_access(pair)).collect());
            env.collect::<Vec<Vec<_>>>()
        };
        let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(
            told("reminders: notes"),
            [pair("NOTIFICATIONS_URL", "http://b"), pair("ALLOW_ORIGINS", "http://a:81")]
        );
        assert_eq!(
            told("reminders: notes, origin: https://events.example.org")[1],
            pair("ALLOW_ORIGINS", "https://events.example.org,http://a:81")
        );
        let elsewhere = told("reminders: https://notes.example.org/api");
        assert_eq!(elsewhere[0], pair("NOTIFICATIONS_URL", "https://notes.example.org/api"));
        assert!(elsewhere[1].is_empty());
    }

    #[test]
    fn reminders_that_go_nowhere_are_refused() {
        for (page, told) in [
            ("{}", "services.events.page: `reminders` is missing"),
            ("{reminders: Notes}", "services.events.page.reminders: must be the name of"),
            ("{reminders: notes}", "notes is no service of this file, and no URL"),
            ("{reminders: events, origin: here}", "services.events.page.origin: must be scheme"),
        ] {
            let text = format!("stack: s\nservices:\n  events: {{build: e, page: {page}}}\n");
            let error = parse(&text, Origin::File("test.yml".into()), None).unwrap_err();
            assert!(error.to_string().contains(told), "{told}: {error}");
        }
    }
}
