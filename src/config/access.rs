//! The key `access`: who may use the services. It becomes variables of their environments.

use std::path::Path;

use super::model::{Access, Config, Placement, Secret, Service};

/// Says who may use a service.
const ACCESS: &str = "ACCESS";
/// Says where a service finds the tokens that it accepts.
const ACCESS_TOKENS_FILE: &str = "ACCESS_TOKENS_FILE";
/// Holds the tokens themselves, for services that nobody deploys from here.
const ACCESS_TOKENS: &str = "ACCESS_TOKENS";
/// Where a container finds the list.
const FILE_IN_CONTAINER: &str = "/run/access/tokens";

/// Finds services whose environment says what the key `access` is for.
pub(super) fn check(services: &[Service], mut problem: impl FnMut(&Service, String)) {
    for service in services {
        for variable in [ACCESS, ACCESS_TOKENS_FILE, ACCESS_TOKENS] {
            if service.env.contains_key(variable) {
                problem(service, format!("env: {variable} is set by `access:`; remove it here"));
            }
        }
    }
}

/// What is wrong with open access on hosts, as far as it can be known beforehand: whoever
/// reaches a service that sends mails could send any text to any address.
pub(super) fn open_relay(access: Option<Access>, services: &[Service]) -> Option<String> {
    let sends = services.iter().find(|service| service.env.contains_key("MAIL_HOST"));
    let name = &sends.filter(|_| access == Some(Access::Open))?.name;
    Some(format!(
        "`open` cannot be combined with services.{name}.mail on hosts, where anybody could then \
         send any text to any address: remove `access: open`, or `mail`"
    ))
}

impl Config {
    /// Who may use the services at a place: on loopback everybody, unless the file says
    /// otherwise.
    pub fn access_at(&self, place: Placement<'_>) -> Access {
        self.access.unwrap_or(match place {
            Placement::Local(_) => Access::Open,
            Placement::Hosts => Access::Tokens,
        })
    }

    /// Tells the services who may use them.
    pub(super) fn tell_access(&mut self, place: Placement<'_>) {
        let access = self.access_at(place);
        for service in &mut self.services {
            service.env.insert(ACCESS.into(), access.as_str().into());
            match (access, place) {
                (Access::Open, _) => {}
                (Access::Tokens, Placement::Local(file)) => service.secrets.push(list(file)),
                (Access::Tokens, Placement::Hosts) => {
                    service.env.insert(ACCESS_TOKENS_FILE.into(), FILE_IN_CONTAINER.into());
                }
            }
        }
    }
}

fn list(file: &Path) -> Secret {
    Secret { name: "access-tokens", variable: ACCESS_TOKENS_FILE, file: file.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Places, parse};

    fn read(text: &str) -> Result<Config, String> {
        let config = parse(text, Origin::File("test.yml".into()), None);
        config.map_err(|error| error.to_string())
    }

    fn env(config: &Config, place: Placement<'_>) -> Vec<(String, String)> {
        let service = config.placed(&Places::new(), place).services.remove(0);
        service.env_with(|secret| secret.file.display().to_string()).into_iter().collect()
    }

    #[test]
    fn hosts_want_tokens_and_this_machine_does_not_unless_the_file_says_so() {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>()
        };
        let open = pairs(&[("ACCESS", "open")]);
        let hosts = pairs(&[("ACCESS", "tokens"), ("ACCESS_TOKENS_FILE", "/run/access/tokens")]);
        let local = pairs(&[("ACCESS", "tokens"), ("ACCESS_TOKENS_FILE", "/keys/s.tokens")]);
        let here = Placement::Local(Path::new("/keys/s.tokens"));
        let services = "services: {events: {build: e}}";
        for (access, on_hosts, on_loopback) in [
            ("", &hosts, &open),
            ("access: tokens", &hosts, &local),
            ("access: open", &open, &open),
        ] {
            let config = read(&format!("stack: s\n{access}\n{services}")).unwrap();
            assert_eq!(env(&config, Placement::Hosts), *on_hosts, "{access}");
            assert_eq!(env(&config, here), *on_loopback, "{access}");
        }
    }

    #[test]
    fn what_contradicts_the_key_is_refused_with_its_line() {
        for (text, told) in [
            ("access: none\nservices: {e: {build: e}}", "line 2: access: must be tokens or open"),
            (
                "services: {e: {build: e, env: {ACCESS_TOKENS: x}}}",
                "line 2: services.e: env: ACCESS_TOKENS is set by `access:`",
            ),
        ] {
            let error = read(&format!("stack: s\n{text}")).unwrap_err();
            assert!(error.contains(told), "{told}: {error}");
        }
    }

    #[test]
    fn mails_are_not_sent_for_everybody_who_reaches_a_host() {
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
