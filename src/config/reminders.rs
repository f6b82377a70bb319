//! Reads the keys `reminder_key_file`, `timezone` and `language`: what the pages and reminders of
//! all services have in common. They become variables of services; the key becomes a file.

use std::path::{Path, PathBuf};

use support::yaml::Section;

use super::model::{Config, Name, Reminders, Secret, Service};

/// The key that signs reminders.
const REMINDER_KEY_FILE: &str = "REMINDER_KEY_FILE";
/// The time zone of the events.
const TIMEZONE: &str = "TIMEZONE";
/// The language of pages.
const PAGE_LANGUAGE: &str = "PAGE_LANGUAGE";

const FORM_TIMEZONE: &str = "the name of a time zone, like Europe/Madrid";
const FORM_LANGUAGE: &str = "auto, en or es";

/// What services with pages and reminders have in common.
#[derive(Debug, Default)]
pub(super) struct Shared {
    key: Option<PathBuf>,
    timezone: Option<String>,
    language: Option<String>,
}

/// Reads them; files are relative to `base`.
pub(super) fn shared(top: &mut Section<'_>, base: &Path) -> Shared {
    let key = top.text("reminder_key_file").map(|it| base.join(super::expand_home(it.as_ref())));
    let timezone = top.parsed("timezone", timezone, FORM_TIMEZONE);
    let language = top.parsed("language", language, FORM_LANGUAGE);
    Shared { key, timezone, language }
}

fn timezone(text: &str) -> Option<String> {
    jiff::tz::TimeZone::get(text).ok().map(|_| text.to_owned())
}

fn language(text: &str) -> Option<String> {
    ["auto", "en", "es"].contains(&text).then(|| text.to_owned())
}

impl Shared {
    /// Gives services what they need of it, unless their `env` says otherwise.
    pub(super) fn give_to(&self, services: &mut [Service]) {
        let targets = targets(services);
        for service in services {
            let is_target = targets.contains(&service.name);
            let sends = service.env.contains_key("MAIL_HOST");
            let mut set = |name: &str, value: &Option<String>, applies: bool| {
                if let (Some(value), true) = (value, applies) {
                    service.env.entry(name.into()).or_insert_with(|| value.clone());
                }
            };
            let has_page = service.page.is_some();
            set(TIMEZONE, &self.timezone, has_page);
            set(PAGE_LANGUAGE, &self.language, has_page || is_target || sends);
            if let (Some(key), true) = (&self.key, has_page || is_target || sends) {
                service.secrets.push(secret(key, false));
            }
        }
    }
}

/// Reports reminders that no other service could verify.
pub(super) fn check(
    shared: &Shared,
    services: &[Service],
    mut problem: impl FnMut(&Service, String),
) {
    for service in services {
        let elsewhere = |page: &super::model::Page| matches!(page.reminders, Reminders::Url(_));
        if shared.key.is_none() && service.page.as_ref().is_some_and(elsewhere) {
            problem(
                service,
                "page: reminders at a URL need `reminder_key_file`, the key that the service there \
                 has, too"
                    .into(),
            );
        }
        if service.env.contains_key(REMINDER_KEY_FILE) {
            let instead = "names a file that is not copied to the host: use `reminder_key_file`";
            problem(service, format!("env: {REMINDER_KEY_FILE} {instead}"));
        }
    }
}

/// The services that take the reminders of pages.
fn targets(services: &[Service]) -> Vec<Name> {
    let pages = services.iter().filter_map(|service| service.page.as_ref());
    let target = |page: &super::model::Page| match &page.reminders {
        Reminders::Service(name) => Some(name.clone()),
        Reminders::Url(_) => None,
    };
    pages.filter_map(target).collect()
}

fn secret(file: &Path, is_generated: bool) -> Secret {
    let (name, variable) = ("reminder-key", REMINDER_KEY_FILE);
    Secret { name, variable, file: file.into(), is_generated }
}

impl Config {
    /// Has services with reminders use a key of the stack's own, unless the file names one.
    pub fn use_reminder_key(&mut self, key: &Path) {
        let targets = targets(&self.services);
        for service in &mut self.services {
            let has_key = service.secrets.iter().any(|it| it.variable == REMINDER_KEY_FILE);
            let needs_key = service.page.is_some() || targets.contains(&service.name);
            if needs_key && !has_key {
                service.secrets.push(secret(key, true));
            }
        }
    }

    /// Whether services use a key of the stack's own, which has to be created.
    pub fn needs_reminder_key(&self) -> bool {
        let is_own = |it: &Secret| it.variable == REMINDER_KEY_FILE && it.is_generated;
        self.services.iter().flat_map(|service| &service.secrets).any(is_own)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::tests::{accepted, errors};

    const SERVICES: &str = "services:\n  events: {build: e, page: {reminders: notes}}\n  \
                            notes: {build: n}\n  other: {build: o}\n";

    #[test]
    fn pages_and_those_who_take_their_reminders_have_the_same_key() {
        let mut config = accepted(&format!("stack: s\n{SERVICES}"));
        config.use_reminder_key(Path::new("/keys/s.reminders"));
        let files = |config: &crate::config::Config| {
            let secrets = config.services.iter().map(|it| it.secrets.clone());
            let files = secrets.map(|all| all.into_iter().map(|it| it.file).collect::<Vec<_>>());
            files.collect::<Vec<_>>()
        };
        let own = vec![Path::new("/keys/s.reminders").to_path_buf()];
        assert_eq!(files(&config), [own.clone(), own, vec![]]);
        assert!(config.needs_reminder_key());

        let text = format!("stack: s\nreminder_key_file: /a/key\n{SERVICES}");
        let mut config = accepted(&text);
        config.use_reminder_key(Path::new("/keys/s.reminders"));
        let given = vec![Path::new("/a/key").to_path_buf()];
        assert_eq!(files(&config), [given.clone(), given, vec![]]);
        assert!(!config.needs_reminder_key());
    }

    #[test]
    fn the_time_zone_and_the_language_are_those_of_pages() {
        let text = format!("stack: s\ntimezone: Europe/Madrid\nlanguage: es\n{SERVICES}");
        let env = accepted(&text).services.into_iter().map(|it| it.env).collect::<Vec<_>>();
        assert_eq!(env[0]["TIMEZONE"], "Europe/Madrid");
        assert_eq!(
            (env[0]["PAGE_LANGUAGE"].as_str(), env[1]["PAGE_LANGUAGE"].as_str()),
            ("es", "es")
        );
        assert!(!env[1].contains_key("TIMEZONE") && env[2].is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, message) in [
            ("timezone: Madrid\n", "line 2: timezone: must be the name of a time zone"),
            ("language: fr\n", "line 2: language: must be auto, en or es"),
        ] {
            let error = errors(&format!("stack: s\n{text}{SERVICES}"));
            assert!(error.contains(message), "{message}: {error}");
        }
        let text = "stack: s\nservices: {e: {build: e, page: {reminders: 'https://n.org'}}}";
        let error = errors(text);
        assert!(error.contains("need `reminder_key_file`"), "{error}");
    }
}
