//! Reads the keys of `database`: the PostgreSQL database that holds a service's data. Its URL has a
//! password, so it becomes a file that the service alone may read.

use std::path::{Path, PathBuf};

use support::yaml::Section;

use super::model::{Secret, Service};
use super::tls::{ACME_CA_FILE, CERTIFICATE_FILE};

/// The path of the file with the URL.
pub const DATABASE_URL_FILE: &str = "DATABASE_URL_FILE";
/// The path of the file with the certificates of an authority.
pub const DATABASE_CA_FILE: &str = "DATABASE_CA_FILE";
/// The URL itself, which would be seen by whoever sees the environment.
const URL: &str = "DATABASE_URL";

/// The files of a database.
#[derive(Debug, Clone)]
pub(super) struct Database(Vec<Secret>);

/// Reads them; files are relative to `base`.
pub(super) fn database(mut section: Section<'_>, base: &Path) -> Option<Database> {
    let file = |text: &str| base.join(super::expand_home(&PathBuf::from(text)));
    let url = section.required("url_file", |section| section.text("url_file").map(file));
    let ca = section.text("ca_file").map(file);
    section.finish();
    let secret = |name, variable, file| Secret { name, variable, file, is_generated: false };
    let url = secret("database-url", DATABASE_URL_FILE, url?);
    let ca = ca.map(|file| secret("database-ca", DATABASE_CA_FILE, file));
    Some(Database([url].into_iter().chain(ca).collect()))
}

impl Database {
    /// Gives a service the files.
    pub(super) fn give_to(self, service: &mut Service) {
        service.secrets.extend(self.0);
    }
}

/// Reports services whose `env` has a database.
pub(super) fn check(services: &[Service], mut problem: impl FnMut(&Service, String)) {
    for service in services {
        let mut report = |variable: &str, why: &str, instead: &str| {
            if service.env.contains_key(variable) {
                let instead = format!("use `database: {{{instead}: …}}` instead");
                problem(service, format!("env: {variable} {why}: {instead}"));
            }
        };
        report(URL, "would be shown by `docker inspect`, with its password", "url_file");
        let not_there = "names a file that is not copied to the host";
        report(DATABASE_URL_FILE, not_there, "url_file");
        report(DATABASE_CA_FILE, not_there, "ca_file");
    }
}

impl Secret {
    /// Whether nobody else may read it.
    pub fn is_confidential(&self) -> bool {
        ![DATABASE_CA_FILE, ACME_CA_FILE, CERTIFICATE_FILE].contains(&self.variable)
    }
}

impl Service {
    /// The file with the URL of the database that holds the service's data, if one does. Then no
    /// data are on its host.
    pub fn database(&self) -> Option<&Secret> {
        self.secrets.iter().find(|secret| secret.variable == DATABASE_URL_FILE)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{accepted, errors};

    #[test]
    fn a_service_has_its_own_database_or_that_of_the_stack() {
        let text = "stack: s\ndatabase: {url_file: url, ca_file: ca.pem}\nservices:\n  \
                    events: {build: e}\n  notifications: {build: n, database: {url_file: /other}}\n";
        let config = accepted(text);
        let files = |at: usize| {
            let secrets = config.services[at].secrets.iter();
            secrets.map(|it| format!("{}={}", it.variable, it.file.display())).collect::<Vec<_>>()
        };
        let own = ["DATABASE_URL_FILE=url", "DATABASE_CA_FILE=ca.pem"];
        assert_eq!(files(0), own);
        assert_eq!(files(1), ["DATABASE_URL_FILE=/other"]);
        let none = accepted("stack: s\nservices: {e: {build: e}}");
        assert!(none.services[0].database().is_none());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, message) in [
            ("database: {}\nservices: {e: {build: e}}", "line 2: database: `url_file` is missing"),
            (
                "services: {e: {build: e, env: {DATABASE_URL: postgres://u:secret@h/d}}}",
                "line 2: services.e: env: DATABASE_URL would be shown",
            ),
        ] {
            let error = errors(&format!("stack: s\n{text}"));
            assert!(error.contains(message) && !error.contains("secret"), "{message}: {error}");
        }
    }
}
