//! The key `access`: who may use the services. It becomes variables of their environment.

use std::path::Path;

use super::model::{Access, Config, Reminders, Secret, Service};

/// Who may use the service: `tokens` or `open`.
const ACCESS: &str = "ACCESS";
/// The file of the tokens that the service accepts.
const ACCESS_TOKENS_FILE: &str = "ACCESS_TOKENS_FILE";
/// The tokens themselves, for services that are not deployed by this command.
const ACCESS_TOKENS: &str = "ACCESS_TOKENS";
/// The path of the list in a container.
const FILE_IN_CONTAINER: &str = "/run/access/tokens";

/// Reports services whose `env` sets a variable of the key `access`.
pub(super) fn check(services: &[Service], mut problem: impl FnMut(&Service, String)) {
    for service in services {
        for variable in [ACCESS, ACCESS_TOKENS_FILE, ACCESS_TOKENS] {
            if service.env.contains_key(variable) {
                problem(service, format!("env: {variable} is set by `access:`; remove it here"));
            }
        }
    }
}

/// Why open access must not be used on hosts, if so: anybody who reaches a service that sends
/// mails could send any text to any address.
pub(super) fn open_relay(access: Option<Access>, services: &[Service]) -> Option<String> {
    if access != Some(Access::Open) {
        return None;
    }
    let elsewhere = |service: &&Service| {
        let page = service.page.as_ref();
        page.is_some_and(|page| matches!(page.reminders, Reminders::Url(_)))
    };
    let sends = services.iter().find(|service| service.env.contains_key("MAIL_HOST"));
    let reminds = services.iter().find(elsewhere);
    let (name, key) = match (sends, reminds) {
        (Some(service), _) => (&service.name, "mail"),
        (None, Some(service)) => (&service.name, "page"),
        (None, None) => return None,
    };
    Some(format!(
        "`open` cannot be combined with services.{name}.{key} on hosts, where anybody could then \
         send any text to any address: remove `access: open`, or `{key}`"
    ))
}

impl Config {
    /// Who may use the services on this machine: everybody, unless the file says otherwise.
    pub fn local_access(&self) -> Access {
        self.access.unwrap_or(Access::Open)
    }

    /// Who may use the services on hosts: clients with a token, unless the file says
    /// otherwise.
    pub fn host_access(&self) -> Access {
        self.access.unwrap_or(Access::Tokens)
    }

    /// Adds the access settings of local services; `tokens` is the file of the list of tokens.
    pub(super) fn set_local_access(&mut self, tokens: &Path) {
        let access = self.local_access();
        for service in &mut self.services {
            service.env.insert(ACCESS.into(), access.as_str().into());
            if access == Access::Tokens {
                service.secrets.push(Secret {
                    name: "access-tokens",
                    variable: ACCESS_TOKENS_FILE,
                    file: tokens.into(),
                    is_generated: true,
                });
            }
        }
    }

    /// Adds the access settings of services on hosts.
    pub(super) fn set_host_access(&mut self) {
        let access = self.host_access();
        for service in &mut self.services {
            service.env.insert(ACCESS.into(), access.as_str().into());
            if access == Access::Tokens {
                service.env.insert(ACCESS_TOKENS_FILE.into(), FILE_IN_CONTAINER.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, ServiceUrls, parse};

    fn read(text: &str) -> Result<Config, String> {
        let config = parse(text, Origin::File("test.yml".into()), None);
        config.map_err(|error| error.to_string())
    }

    fn env(config: &Config) -> Vec<(String, String)> {
        let service = &config.services[0];
        service.env_with(|secret| secret.file.display().to_string()).into_iter().collect()
    }

    #[test]
    fn hosts_require_tokens_and_this_machine_does_not_by_default() {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>()
        };
        let open = pairs(&[("ACCESS", "open")]);
        let hosts = pairs(&[("ACCESS", "tokens"), ("ACCESS_TOKENS_FILE", "/run/access/tokens")]);
        let local = pairs(&[("ACCESS", "tokens"), ("ACCESS_TOKENS_FILE", "/keys/s.tokens")]);
        let services = "services: {events: {build: e}}";
        for (access, on_hosts, on_loopback) in [
            ("", &hosts, &open),
            ("access: tokens", &hosts, &local),
            ("access: open", &open, &open),
        ] {
            let config = read(&format!("stack: s\n{access}\n{services}")).unwrap();
            let urls = ServiceUrls::new();
            assert_eq!(env(&config.on_hosts(&urls)), *on_hosts, "{access}");
            let tokens = Path::new("/keys/s.tokens");
            assert_eq!(env(&config.on_this_machine(&urls, tokens)), *on_loopback, "{access}");
        }
    }

    #[test]
    fn contradicting_settings_are_refused_with_their_line() {
        for (text, message) in [
            ("access: none\nservices: {e: {build: e}}", "line 2: access: must be tokens or open"),
            (
                "services: {e: {build: e, env: {ACCESS_TOKENS: x}}}",
                "line 2: services.e: env: ACCESS_TOKENS is set by `access:`",
            ),
        ] {
            let error = read(&format!("stack: s\n{text}")).unwrap_err();
            assert!(error.contains(message), "{message}: {error}");
        }
    }

    #[test]
    fn open_access_on_hosts_cannot_be_combined_with_mail() {
        let text = |access: &str| {
            format!(
                "stack: s\n{access}\nservices: {{n: {{build: n, mail: {{host: m, from: a@b.org}}}}}}"
            )
        };
        assert!(read(&text("access: tokens")).unwrap().check_for_hosts().is_ok());
        assert!(read(&text("")).unwrap().check_for_hosts().is_ok());
        let error = read(&text("access: open")).unwrap().check_for_hosts().unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with(
                "test.yml: line 2: access: `open` cannot be combined with services.n.mail"
            ),
            "{error}"
        );
    }
}
