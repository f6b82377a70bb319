//! Reads the keys `domain` and `certificate` of a service, and `acme` of the stack: how a service on
//! a host answers HTTPS. They become variables of its environment; keys become files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use support::yaml::Section;

use super::model::{Config, Secret, Service, Tls};

/// Where a service listens in its container for HTTPS, and for requests that it redirects there.
pub(super) const HTTPS_IN_CONTAINER: u16 = 8443;
pub(super) const REDIRECT_IN_CONTAINER: u16 = 8081;

pub(super) const CERTIFICATE_FILE: &str = "TLS_CERTIFICATE_FILE";
const KEY_FILE: &str = "TLS_KEY_FILE";
pub(super) const ACME_CA_FILE: &str = "ACME_CA_FILE";
/// The variables that `domain`, `certificate` and `acme` set.
const VARIABLES: [&str; 8] = [
    "TLS_LISTEN",
    "REDIRECT_LISTEN",
    "TLS_NAMES",
    CERTIFICATE_FILE,
    KEY_FILE,
    "ACME_DIRECTORY",
    "ACME_CONTACT",
    ACME_CA_FILE,
];

const FORM_DOMAIN: &str = "a host name, like events.example.org";
const FORM_DIRECTORY: &str = "the https URL of a directory";
const FORM_CONTACT: &str = "an email address";

/// Who issues certificates.
#[derive(Debug, Clone, Default)]
pub(super) struct Acme {
    env: BTreeMap<String, String>,
    ca: Option<Secret>,
}

/// Reads `acme`; files are relative to `base`.
pub(super) fn acme(mut section: Section<'_>, base: &Path) -> Acme {
    let directory = section.parsed("directory", directory, FORM_DIRECTORY);
    let contact = section.parsed("contact", contact, FORM_CONTACT);
    let ca = section.text("ca_file").map(|file| secret("acme-ca", ACME_CA_FILE, file, base));
    section.finish();
    let env = [("ACME_DIRECTORY", directory), ("ACME_CONTACT", contact)];
    let env = env.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Acme { env: env.collect(), ca }
}

/// Reads `domain` and `certificate` of a service.
pub(super) fn tls(section: &mut Section<'_>, base: &Path) -> Option<Tls> {
    let domain = section.parsed("domain", domain, FORM_DOMAIN);
    let files = section.section("certificate").map(|mut section| {
        let mut file = |key: &'static str, name, variable| {
            let file = section.required(key, |section| section.text(key).map(str::to_owned));
            file.map(|file| secret(name, variable, &file, base))
        };
        let chain = file("chain_file", "tls-certificate", CERTIFICATE_FILE);
        let key = file("key_file", "tls-key", KEY_FILE);
        section.finish();
        [chain, key].into_iter().flatten().collect::<Vec<_>>()
    });
    if files.is_some() && domain.is_none() {
        section.problem("certificate", "needs `domain`, the name that it is for");
    }
    Some(Tls { domain: domain?, files: files.unwrap_or_default(), env: BTreeMap::new() })
}

/// Reports what does not go together.
pub(super) fn check(service: &Service, section: &Section<'_>) {
    if let Some(variable) = VARIABLES.into_iter().find(|it| service.env.contains_key(*it)) {
        section.problem("env", format!("has {variable}, which `domain` sets"));
    }
    if service.tls.is_none() {
        return;
    }
    if service.bind.is_some() {
        section.problem("bind", "cannot be combined with `domain`, which everybody reaches");
    }
    if matches!(service.port, 80 | 443) {
        section.problem(
            "port",
            "must be another one, or left out: HTTPS and its redirect have 443 and 80",
        );
    }
}

fn secret(name: &'static str, variable: &'static str, file: &str, base: &Path) -> Secret {
    let file = base.join(super::expand_home(&PathBuf::from(file)));
    Secret { name, variable, file, is_generated: false }
}

fn domain(text: &str) -> Option<String> {
    let label = |label: &str| {
        let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(letters)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let valid = text.len() <= 253 && text.contains('.') && text.split('.').all(label);
    // An address is no name.
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_name = last.bytes().any(|b| b.is_ascii_alphabetic());
    (valid && is_name).then(|| text.to_ascii_lowercase())
}

fn directory(text: &str) -> Option<String> {
    text.starts_with("https://").then(|| text.to_owned())
}

fn contact(text: &str) -> Option<String> {
    let address = text.strip_prefix("mailto:").unwrap_or(text);
    address.contains('@').then(|| address.to_owned())
}

impl Acme {
    /// Tells a service that asks for certificates of whom.
    pub(super) fn give_to(&self, service: &mut Service) {
        let Some(tls) = service.tls.as_mut().filter(|tls| tls.files.is_empty()) else { return };
        tls.env.clone_from(&self.env);
        tls.files.extend(self.ca.clone());
    }
}

impl Config {
    /// Has services on hosts that have a domain answer HTTPS.
    pub(super) fn set_tls(&mut self) {
        for service in &mut self.services {
            let Some(tls) = service.tls.clone() else { continue };
            let listen = |port: u16| format!("[::]:{port}");
            let env = [
                ("TLS_LISTEN", listen(HTTPS_IN_CONTAINER)),
                ("REDIRECT_LISTEN", listen(REDIRECT_IN_CONTAINER)),
                ("TLS_NAMES", tls.domain),
            ];
            service.env.extend(env.map(|(name, value)| (name.to_owned(), value)));
            service.env.extend(tls.env);
            service.secrets.extend(tls.files);
        }
    }

    /// A service that has a domain, if there is one.
    pub fn service_with_domain(&self) -> Option<&Service> {
        self.services.iter().find(|service| service.tls.is_some())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{accepted, errors};
    use crate::config::{PublicAddress, ServiceUrls};

    #[test]
    fn a_domain_has_a_service_answer_https_on_hosts() {
        let config = accepted(
            "stack: s\nacme: {directory: 'https://ca.example/dir', contact: a@b.org, ca_file: /ca}\n\
             services:\n  e: {build: e, domain: Events.example.org}\n  n:\n    build: n\n    \
             domain: n.example.org\n    certificate: {chain_file: /chain, key_file: /key}\n",
        );
        assert_eq!(config.services[0].port, 8080);
        assert_eq!(config.services[0].published(), ["443:8443", "80:8081", "127.0.0.1:8080:8080"]);
        assert_eq!(config.services[0].public_ports(), [443, 80]);
        assert!(!config.services[0].env.contains_key("TLS_NAMES"), "this is for hosts alone");
        let config = config.on_hosts(&ServiceUrls::new());
        let env = &config.services[0].env;
        assert_eq!(
            (env["TLS_NAMES"].as_str(), env["TLS_LISTEN"].as_str()),
            ("events.example.org", "[::]:8443",)
        );
        assert_eq!(env["ACME_CONTACT"], "a@b.org");
        let secrets = |at: usize| {
            let secrets = config.services[at].secrets.iter();
            secrets.map(|it| it.variable).collect::<Vec<_>>()
        };
        assert_eq!(secrets(0), ["ACME_CA_FILE"]);
        assert_eq!(secrets(1), ["TLS_CERTIFICATE_FILE", "TLS_KEY_FILE"]);
        assert!(!config.services[1].env.contains_key("ACME_DIRECTORY"));
    }

    #[test]
    fn addresses_that_stay_are_for_hosts_on_ec2() {
        let text = |keys: &str| format!("stack: s\n{keys}\nservices: {{e: {{build: e}}}}");
        assert_eq!(accepted(&text("address: elastic")).address, PublicAddress::Elastic);
        assert_eq!(accepted(&text("")).address, PublicAddress::Auto);
        let error = errors(&text("address: static"));
        assert!(error.contains("address: must be auto or elastic"), "{error}");
        let error = errors(&text("address: elastic\nhosts: {e: 10.0.0.1}"));
        assert!(error.contains("address: is for hosts on EC2"), "{error}");
    }

    #[test]
    fn services_of_one_host_have_different_ports() {
        let text = |service: &str| {
            format!(
                "stack: s\nhosts: {{e: 10.0.0.1, n: 10.0.0.1}}\nservices:\n  \
                 e: {{build: e, domain: e.org}}\n  n: {{build: n, {service}}}\n"
            )
        };
        accepted(&text("port: 81"));
        for service in ["port: 80", "domain: n.org, port: 81"] {
            let error = errors(&text(service));
            assert!(error.contains("hosts.n: wants port "), "{error}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_named_with_its_line() {
        for (service, message) in [
            ("domain: localhost", "domain: must be a host name"),
            ("domain: 10.0.0.1", "domain: must be a host name"),
            ("domain: a.example-", "domain: must be a host name"),
            ("certificate: {chain_file: c, key_file: k}", "certificate: needs `domain`"),
            ("domain: a.org, certificate: {key_file: k}", "`chain_file` is missing"),
            ("domain: a.org, bind: 127.0.0.1", "bind: cannot be combined"),
            ("domain: a.org, port: 443", "port: must be another one"),
            ("domain: a.org, env: {TLS_NAMES: b}", "has TLS_NAMES, which `domain` sets"),
        ] {
            let error = errors(&format!("stack: s\nservices: {{e: {{build: e, {service}}}}}"));
            assert!(error.contains(message), "{message}: {error}");
        }
    }
}
