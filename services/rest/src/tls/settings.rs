//! The settings of HTTPS, from the command line and the environment.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use hyper::Uri;

use super::names::HostName;

/// The directory of Let's Encrypt.
const DEFAULT_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Where `--help` has these options.
const HEADING: &str = "HTTPS";

/// The arguments about HTTPS.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TlsArgs {
    /// Address to serve HTTPS on, beside plain HTTP on PORT or --listen
    #[arg(long, help_heading = HEADING, value_name = "ADDRESS:PORT", env = "TLS_LISTEN",
        value_parser = given::<SocketAddr>)]
    tls_listen: Option<Given<SocketAddr>>,

    /// Address to redirect from to HTTPS, usually port 80; nothing else is served there
    #[arg(long, help_heading = HEADING, value_name = "ADDRESS:PORT", env = "REDIRECT_LISTEN",
        value_parser = given::<SocketAddr>)]
    redirect_listen: Option<Given<SocketAddr>>,

    /// Names that clients know the service by, for the certificate and redirects
    #[arg(long, help_heading = HEADING, value_name = "NAME", env = "TLS_NAMES", value_delimiter = ',',
        value_parser = name)]
    tls_names: Vec<Given<HostName>>,

    /// PEM file of the certificate and those between it and its authority's; read again at SIGHUP and
    /// when it changes. Without it, the authority of --acme-directory issues the certificate
    #[arg(long, help_heading = HEADING, value_name = "FILE", env = "TLS_CERTIFICATE_FILE",
        value_parser = given::<PathBuf>)]
    tls_certificate_file: Option<Given<PathBuf>>,

    /// PEM file of the certificate's key, which only this user can read
    #[arg(long, help_heading = HEADING, value_name = "FILE", env = "TLS_KEY_FILE",
        value_parser = given::<PathBuf>)]
    tls_key_file: Option<Given<PathBuf>>,

    /// Directory of the authority that issues certificates by ACME [default: Let's Encrypt]; to use
    /// it is to agree to its terms
    #[arg(long, help_heading = HEADING, value_name = "URL", env = "ACME_DIRECTORY",
        value_parser = given::<Uri>)]
    acme_directory: Option<Given<Uri>>,

    /// Mail address by which the authority may tell of problems
    #[arg(long, help_heading = HEADING, value_name = "MAIL", env = "ACME_CONTACT",
        value_parser = given::<String>)]
    acme_contact: Option<Given<String>>,

    /// PEM file of CA certificates to verify the directory by, instead of the public ones
    #[arg(long, help_heading = HEADING, value_name = "FILE", env = "ACME_CA_FILE",
        value_parser = given::<PathBuf>)]
    acme_ca_file: Option<Given<PathBuf>>,
}

/// A setting; none if its variable is empty.
#[derive(Debug, Clone)]
struct Given<T>(Option<T>);

/// Where and with which certificates to serve HTTPS.
#[derive(Debug, Clone)]
pub(crate) struct TlsSettings {
    /// Where to serve it.
    pub(crate) listen: SocketAddr,
    /// Where to redirect from.
    pub(crate) redirect: Option<SocketAddr>,
    /// The names of the service.
    pub(crate) names: Vec<HostName>,
    /// Where its certificates come from.
    pub(super) source: Source,
}

/// Where certificates come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// Files that somebody else renews.
    Files { certificate: PathBuf, key: PathBuf },
    /// An authority.
    Acme(AcmeSettings),
}

/// Which authority issues certificates.
#[derive(Debug, Clone)]
pub(super) struct AcmeSettings {
    pub(super) directory: Uri,
    /// A URL, such as `mailto:me@example.org`.
    pub(super) contact: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
}

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{option} has no effect without --tls-listen (TLS_LISTEN): set that too, or remove it")]
    NotListening { option: &'static str },
    #[error(
        "{given} is set without {missing}: a certificate and its key are given together, or \
         neither of them"
    )]
    HalfPair { given: &'static str, missing: &'static str },
    #[error(
        "{option} is for certificates by ACME and cannot be combined with TLS_CERTIFICATE_FILE: \
         remove one of them"
    )]
    TwoSources { option: &'static str },
    #[error(
        "TLS_LISTEN is set without a certificate: name the hosts in --tls-names (TLS_NAMES) to \
         have it issued by ACME, or set TLS_CERTIFICATE_FILE and TLS_KEY_FILE"
    )]
    NoNames,
    #[error(
        "REDIRECT_LISTEN needs --tls-names (TLS_NAMES): the names that clients are redirected to"
    )]
    NoRedirectNames,
    #[error("ACME_DIRECTORY is {url}: it must be a URL that begins with https://")]
    Directory { url: Uri },
    #[error("ACME_CONTACT is {contact:?}: it must be a mail address")]
    Contact { contact: String },
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} has no CA certificate that can be used: {reason}", path.display())]
    Authorities { path: PathBuf, reason: String },
    #[error(
        "{} can be read by other users, who could impersonate this service with it: make it private \
         with chmod 600", path.display()
    )]
    SharedKey { path: PathBuf },
    #[error(
        "{} and {} cannot be used: {reason}", certificate.display(), key.display()
    )]
    Pair { certificate: PathBuf, key: PathBuf, reason: String },
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("TLS cannot be set up: {0}")]
    Library(String),
}

impl TlsArgs {
    /// What the arguments ask for; `None` without HTTPS.
    pub(crate) fn settings(&self) -> Result<Option<TlsSettings>, TlsError> {
        let Some(listen) = value(self.tls_listen.as_ref()) else { return self.nothing() };
        let names: Vec<_> = self.tls_names.iter().filter_map(|name| name.0.clone()).collect();
        let redirect = value(self.redirect_listen.as_ref());
        if redirect.is_some() && names.is_empty() {
            return Err(TlsError::NoRedirectNames);
        }
        let certificate = value(self.tls_certificate_file.as_ref());
        let source = match (certificate, value(self.tls_key_file.as_ref())) {
            (Some(certificate), Some(key)) => self.files(certificate, key)?,
            (Some(_), None) => {
                let (given, missing) = ("TLS_CERTIFICATE_FILE", "TLS_KEY_FILE");
                return Err(TlsError::HalfPair { given, missing });
            }
            (None, Some(_)) => {
                let (given, missing) = ("TLS_KEY_FILE", "TLS_CERTIFICATE_FILE");
                return Err(TlsError::HalfPair { given, missing });
            }
            (None, None) if names.is_empty() => return Err(TlsError::NoNames),
            (None, None) => Source::Acme(self.acme()?),
        };
        Ok(Some(TlsSettings { listen, redirect, names, source }))
    }

    /// Without HTTPS, nothing about it may be set: somebody expects it to be there.
    fn nothing(&self) -> Result<Option<TlsSettings>, TlsError> {
        let names = self.tls_names.iter().any(|name| name.0.is_some());
        let set = [
            ("REDIRECT_LISTEN", is_given(self.redirect_listen.as_ref())),
            ("TLS_NAMES", names),
            ("TLS_CERTIFICATE_FILE", is_given(self.tls_certificate_file.as_ref())),
            ("TLS_KEY_FILE", is_given(self.tls_key_file.as_ref())),
        ];
        match set.into_iter().chain(self.of_acme()).find(|(_, is_set)| *is_set) {
            Some((option, _)) => Err(TlsError::NotListening { option }),
            None => Ok(None),
        }
    }

    fn of_acme(&self) -> [(&'static str, bool); 3] {
        [
            ("ACME_DIRECTORY", is_given(self.acme_directory.as_ref())),
            ("ACME_CONTACT", is_given(self.acme_contact.as_ref())),
            ("ACME_CA_FILE", is_given(self.acme_ca_file.as_ref())),
        ]
    }

    fn files(&self, certificate: PathBuf, key: PathBuf) -> Result<Source, TlsError> {
        match self.of_acme().into_iter().find(|(_, is_set)| *is_set) {
            Some((option, _)) => Err(TlsError::TwoSources { option }),
            None => Ok(Source::Files { certificate, key }),
        }
    }

    fn acme(&self) -> Result<AcmeSettings, TlsError> {
        let default = Uri::from_static(DEFAULT_DIRECTORY);
        let directory = value(self.acme_directory.as_ref()).unwrap_or(default);
        if directory.scheme_str() != Some("https") || directory.host().is_none() {
            return Err(TlsError::Directory { url: directory });
        }
        let contact = value(self.acme_contact.as_ref());
        if let Some(contact) = contact.as_ref().filter(|it| !it.contains('@')) {
            return Err(TlsError::Contact { contact: contact.clone() });
        }
        let contact = contact.map(|address| {
            let address = address.strip_prefix("mailto:").unwrap_or(&address);
            format!("mailto:{address}")
        });
        Ok(AcmeSettings { directory, contact, ca_file: value(self.acme_ca_file.as_ref()) })
    }
}

fn value<T: Clone>(given: Option<&Given<T>>) -> Option<T> {
    given.and_then(|given| given.0.clone())
}

fn is_given<T>(given: Option<&Given<T>>) -> bool {
    given.is_some_and(|given| given.0.is_some())
}

fn given<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<Given<T>, String> {
    if text.is_empty() {
        return Ok(Given(None));
    }
    text.parse().map(|value| Given(Some(value))).map_err(|error: T::Err| error.to_string())
}

fn name(text: &str) -> Result<Given<HostName>, String> {
    if text.is_empty() { Ok(Given(None)) } else { HostName::parse(text).map(|it| Given(Some(it))) }
}

#[cfg(test)]
mod tests;
