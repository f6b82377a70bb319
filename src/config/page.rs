//! Reads the keys of `page`, the page for people: where its reminders are created, and from
//! where it is opened. Both become environment variables of services once it is known where the
//! services are.

use std::collections::BTreeMap;
use std::path::Path;

use rest::access::origins::Origin;
use support::yaml::Section;

use super::model::{Config, Name, Page, Reminders, Service};

/// Where a service's page creates reminders.
const NOTIFICATIONS_URL: &str = "NOTIFICATIONS_URL";
/// Where browsers find a service, for the links in mails.
const PUBLIC_URL: &str = "PUBLIC_URL";
/// The pages that may use a service from a browser.
const ALLOW_ORIGINS: &str = "ALLOW_ORIGINS";

/// The URLs at which browsers find each service, without a path, the preferred one first; by
/// the service's name.
pub type ServiceUrls = BTreeMap<String, Vec<String>>;

/// Reads the section `page`.
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

/// Reports pages whose reminders no service creates.
pub(super) fn check(services: &[Service], mut problem: impl FnMut(&Service, String)) {
    for service in services {
        let Some(Page { reminders: Reminders::Service(name), .. }) = &service.page else {
            continue;
        };
        if !services.iter().any(|other| other.name == *name) {
            problem(service, format!("{name} is neither a service in this file nor a URL"));
        }
    }
    let both = |service: &&Service| service.page.is_some() && has(service, NOTIFICATIONS_URL);
    for service in services.iter().filter(both) {
        problem(service, format!("sets {NOTIFICATIONS_URL}, which `env` also sets"));
    }
}

fn has(service: &Service, variable: &str) -> bool {
    service.env.contains_key(variable)
}

impl Config {
    /// The services as they run on hosts at these URLs: with the addresses of each other and
    /// their access settings.
    #[must_use]
    pub fn on_hosts(&self, urls: &ServiceUrls) -> Self {
        let mut config = self.clone();
        config.set_host_access();
        config.set_tls();
        config.set_urls(urls);
        config
    }

    /// The same for processes of this machine; `tokens` is the file of the list of tokens.
    #[must_use]
    pub fn on_this_machine(&self, urls: &ServiceUrls, tokens: &Path) -> Self {
        let mut config = self.clone();
        config.set_local_access(tokens);
        config.set_urls(urls);
        config
    }

    fn set_urls(&mut self, urls: &ServiceUrls) {
        let variables: Vec<_> =
            self.services.iter().map(|service| self.url_variables(service, urls)).collect();
        for (service, variables) in self.services.iter_mut().zip(variables) {
            // A variable that the file sets takes precedence.
            for (name, value) in variables {
                service.env.entry(name.to_owned()).or_insert(value);
            }
        }
    }

    fn url_variables(&self, service: &Service, urls: &ServiceUrls) -> Vec<(&'static str, String)> {
        let urls_of = |name: &Name| urls.get(name.as_str()).into_iter().flatten();
        let mut variables = Vec::new();
        match service.page.as_ref().map(|page| &page.reminders) {
            Some(Reminders::Url(url)) => variables.push((NOTIFICATIONS_URL, url.clone())),
            Some(Reminders::Service(name)) => {
                variables.extend(urls_of(name).next().map(|url| (NOTIFICATIONS_URL, url.clone())));
            }
            None => {}
        }
        let is_target = |it: &Service| {
            it.page
                .as_ref()
                .is_some_and(|page| page.reminders == Reminders::Service(service.name.clone()))
        };
        let own = urls_of(&service.name).next();
        let origin = service.page.as_ref().and_then(|page| page.origin.as_ref());
        if service.page.is_some() || self.services.iter().any(is_target) {
            variables.extend(origin.or(own).map(|url| (PUBLIC_URL, url.clone())));
        }
        let mut origins = Vec::new();
        for (other, page) in self.services.iter().filter_map(|it| Some((it, it.page.as_ref()?))) {
            if page.reminders == Reminders::Service(service.name.clone()) {
                origins.extend(page.origin.clone());
                origins.extend(urls_of(&other.name).cloned());
            }
        }
        if !origins.is_empty() {
            variables.push((ALLOW_ORIGINS, origins.join(",")));
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Origin, parse};

    #[test]
    fn services_get_the_urls_of_each_other() {
        let variables = |page: &str| {
            let text = format!(
                "stack: s\nreminder_key_file: /k\nservices:\n  events: {{build: e, page: \
                 {{{page}}}}}\n  notes: {{build: n}}\n"
            );
            let config = parse(&text, Origin::File("test.yml".into()), None).unwrap();
            let urls = [("events", "http://a:81"), ("notes", "http://b")];
            let urls = urls.map(|(name, url)| (name.to_owned(), vec![url.to_owned()]));
            let config = config.on_hosts(&urls.into_iter().collect());
            let is_of_access = |(name, _): &(String, String)| {
                ["ACCESS", "ACCESS_TOKENS_FILE"].contains(&name.as_str())
            };
            let env = config
                .services
                .iter()
                .map(|it| it.env.clone().into_iter().filter(|pair| !is_of_access(pair)).collect());
            env.collect::<Vec<Vec<_>>>()
        };
        let pairs = |pairs: [(&str, &str); 2]| {
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
        };
        assert_eq!(
            variables("reminders: notes"),
            [
                pairs([("NOTIFICATIONS_URL", "http://b"), ("PUBLIC_URL", "http://a:81")]),
                pairs([("ALLOW_ORIGINS", "http://a:81"), ("PUBLIC_URL", "http://b")])
            ]
        );
        let with_origin = variables("reminders: notes, origin: https://events.example.org");
        assert_eq!(
            with_origin[0][1],
            ("PUBLIC_URL".to_owned(), "https://events.example.org".to_owned())
        );
        assert_eq!(
            with_origin[1],
            pairs([
                ("ALLOW_ORIGINS", "https://events.example.org,http://a:81"),
                ("PUBLIC_URL", "http://b")
            ])
        );
        let elsewhere = variables("reminders: https://notes.example.org/api");
        let url = ("NOTIFICATIONS_URL", "https://notes.example.org/api");
        assert_eq!(elsewhere[0], pairs([url, ("PUBLIC_URL", "http://a:81")]));
        assert!(elsewhere[1].is_empty());
    }

    #[test]
    fn reminders_that_go_nowhere_are_refused() {
        for (page, message) in [
            ("{}", "services.events.page: `reminders` is missing"),
            ("{reminders: Notes}", "services.events.page.reminders: must be the name of"),
            ("{reminders: notes}", "notes is neither a service in this file nor a URL"),
            ("{reminders: events, origin: here}", "services.events.page.origin: must be scheme"),
        ] {
            let text = format!("stack: s\nservices:\n  events: {{build: e, page: {page}}}\n");
            let error = parse(&text, Origin::File("test.yml".into()), None).unwrap_err();
            assert!(error.to_string().contains(message), "{message}: {error}");
        }
    }
}
