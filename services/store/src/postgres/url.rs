//! The URL of a database: where it is read from, and the parameters that the driver does not know.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::database_url::UrlPlace;
use crate::{DatabaseUrl, DatabaseUrlError};

/// How long a host may take to accept a connection, unless the URL says another time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After this time without an answer of its host a connection is closed, unless the URL says
/// another.
const UNANSWERED_TIMEOUT: Duration = Duration::from_secs(10);
/// When and how often a host is asked for a sign of life while it is to answer.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;
/// The longest URL that is read from a file.
const MAX_LENGTH: u64 = 16 << 10;
/// Parameters of libpq for certificates of clients, which are not supported.
const CLIENT_CERTIFICATE: [&str; 3] = ["sslcert", "sslkey", "sslpassword"];

/// Whose certificate a server must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// Anybody's.
    Nothing,
    /// One of an authority that is trusted, for any name.
    Authority,
    /// One of such an authority for the host's name.
    Full,
}

/// Where the certificates of trusted authorities are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// Those that browsers trust.
    Public,
    /// In this file, in PEM format.
    File(PathBuf),
}

/// What a URL says.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// One for each host, to be tried in this order.
    pub(super) configs: Vec<Config>,
    pub(super) verify: Verify,
    pub(super) roots: Roots,
}

/// The hosts and the name of a database, for messages.
pub(super) fn name(url: &DatabaseUrl) -> Result<String, DatabaseUrlError> {
    Ok(target(url)?.name())
}

/// Reads and parses a URL.
pub(super) fn target(url: &DatabaseUrl) -> Result<Target, DatabaseUrlError> {
    let ca_file = url.ca_file.as_deref();
    match &url.place {
        UrlPlace::Value(text) => parse(text, ca_file),
        UrlPlace::File(path) => parse(&read(path)?, ca_file),
    }
}

fn read(path: &Path) -> Result<String, DatabaseUrlError> {
    use std::io::Read;
    let unreadable = |reason: String| DatabaseUrlError::Unreadable { path: path.into(), reason };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    file.take(MAX_LENGTH + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > MAX_LENGTH {
        return Err(unreadable(format!("it is longer than {MAX_LENGTH} bytes")));
    }
    Ok(text)
}

/// The parameters that the driver does not know, and the text without them.
#[derive(Default)]
struct Parameters {
    sslmode: Option<String>,
    sslrootcert: Option<PathBuf>,
    has_target: bool,
    rest: String,
}

/// The parts of a URL.
struct Parts<'a> {
    /// Everything before the hosts.
    begin: &'a str,
    hosts: &'a str,
    /// The name of the database, with the slash.
    path: &'a str,
    query: &'a str,
}

/// Takes a URL apart. It is an error if a part of a password may be taken for a host.
fn split(url: &str) -> Result<Parts<'_>, DatabaseUrlError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let scheme = base.find("://").map_or(0, |at| at + 3);
    let at = base.find('@').map_or(scheme, |at| at + 1);
    if base[at..].contains('@') || query.contains('@') {
        let encode = "percent-encode % @ / ? in the user and password as %25 %40 %2F %3F";
        return Err(DatabaseUrlError::Invalid(encode.into()));
    }
    let end = base[at..].find('/').map_or(base.len(), |end| at + end);
    Ok(Parts { begin: &base[..at], hosts: &base[at..end], path: &base[end..], query })
}

fn parameters(query: &str) -> Result<Parameters, DatabaseUrlError> {
    let mut found = Parameters::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A plus sign stands for itself.
        let value = || {
            let value = value.replace('+', "%2B");
            let decoded = form_urlencoded::parse(value.as_bytes()).next();
            decoded.map(|(value, _)| value.into_owned()).unwrap_or_default()
        };
        match name {
            "sslmode" => found.sslmode = Some(value()),
            "sslrootcert" => found.sslrootcert = Some(value().into()),
            name if CLIENT_CERTIFICATE.contains(&name) => {
                let message = format!("`{name}` is not supported: use a password");
                return Err(DatabaseUrlError::Invalid(message));
            }
            name => {
                found.has_target |= name == "target_session_attrs";
                found.rest.push(if found.rest.is_empty() { '?' } else { '&' });
                found.rest.push_str(pair);
            }
        }
    }
    Ok(found)
}

fn parse(url: &str, ca_file: Option<&Path>) -> Result<Target, DatabaseUrlError> {
    let invalid = |message: &str| DatabaseUrlError::Invalid(message.into());
    let url = url.trim();
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(invalid("it does not begin with postgres://"));
    }
    let Parts { begin, hosts, path, query } = split(url)?;
    let mut parameters = parameters(query)?;
    let read = |host: &str| {
        Config::from_str(&format!("{begin}{host}{path}{}", parameters.rest))
            .map_err(|error| invalid(&reason(&error)))
    };
    let mut configs = hosts.split(',').map(read).collect::<Result<Vec<_>, _>>()?;
    if configs.iter().any(|config| config.get_hosts().is_empty()) {
        return Err(invalid("it has no host"));
    }
    if configs.iter().any(|config| config.get_dbname().is_none_or(str::is_empty)) {
        return Err(invalid("it has no name of a database"));
    }
    let is_local = configs.iter().all(is_local);
    let has_target = parameters.has_target;
    let (mode, verify, roots) = tls(&mut parameters, ca_file, is_local)?;
    for config in &mut configs {
        config.ssl_mode(mode);
        set_defaults(config, has_target);
    }
    Ok(Target { configs, verify, roots })
}

/// Sets what the URL does not say.
fn set_defaults(config: &mut Config, has_target: bool) {
    if !has_target {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNANSWERED_TIMEOUT);
    }
    config.keepalives_idle(KEEPALIVE_IDLE);
    config.keepalives_interval(KEEPALIVE_INTERVAL);
    config.keepalives_retries(KEEPALIVE_RETRIES);
    if config.get_application_name().is_none() {
        config.application_name("eventpost");
    }
}

/// What the driver's error says, with its cause. It names parameters and shows no values.
fn reason(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Whether TLS is used, and whose certificate is accepted. The names are those of libpq:
/// <https://www.postgresql.org/docs/current/libpq-ssl.html>. A file of certificates that was given
/// beside the URL always verifies.
fn tls(
    parameters: &mut Parameters,
    ca_file: Option<&Path>,
    is_local: bool,
) -> Result<(SslMode, Verify, Roots), DatabaseUrlError> {
    let roots = match ca_file.map(Path::to_path_buf).or(parameters.sslrootcert.take()) {
        Some(path) if path == Path::new("system") => Some(Roots::Public),
        Some(path) => Some(Roots::File(path)),
        None => None,
    };
    // Everybody can have a certificate of a public authority: only the name tells servers apart.
    let authority = match roots {
        Some(Roots::File(_)) => Verify::Authority,
        _ => Verify::Full,
    };
    // With certificates of an authority libpq verifies with `require`, too.
    let required = match (&roots, ca_file) {
        (None, _) => Verify::Nothing,
        (Some(_), Some(_)) => Verify::Full,
        (Some(_), None) => authority,
    };
    let (mode, verify) = match parameters.sslmode.as_deref() {
        None if is_local && roots.is_none() => (SslMode::Disable, Verify::Nothing),
        None if roots.is_some() => (SslMode::Require, Verify::Full),
        None | Some("require") => (SslMode::Require, required),
        Some("disable" | "prefer") if ca_file.is_some() => {
            let message = "sslmode must be require, verify-ca or verify-full with a CA file \
                           (ca_file, --database-ca-file or DATABASE_CA_FILE)";
            return Err(DatabaseUrlError::Invalid(message.into()));
        }
        Some("disable") => (SslMode::Disable, Verify::Nothing),
        Some("prefer") => (SslMode::Prefer, required),
        Some("verify-ca") => (SslMode::Require, authority),
        Some("verify-full") => (SslMode::Require, Verify::Full),
        Some(_) => {
            let modes = "disable, prefer, require, verify-ca or verify-full";
            return Err(DatabaseUrlError::Invalid(format!("sslmode must be {modes}")));
        }
    };
    Ok((mode, verify, roots.unwrap_or(Roots::Public)))
}

/// Whether all hosts are this machine.
fn is_local(config: &Config) -> bool {
    let addresses = config.get_hostaddrs();
    let is_loopback = |address: &IpAddr| address.to_canonical().is_loopback();
    if !addresses.is_empty() {
        return addresses.iter().all(is_loopback);
    }
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|it| is_loopback(&it))
        }
    })
}

impl Target {
    /// The hosts and the name of the database, for messages.
    pub(super) fn name(&self) -> String {
        let host = |config: &Config| {
            let port = config.get_ports().first().copied().unwrap_or(5432);
            match config.get_hosts().first() {
                Some(Host::Tcp(name)) => format!("{name}:{port}"),
                Some(Host::Unix(path)) => path.display().to_string(),
                None => String::new(),
            }
        };
        let hosts: Vec<_> = self.configs.iter().map(host).collect();
        let name = self.configs.first().and_then(Config::get_dbname).unwrap_or_default();
        format!("{}/{name}", hosts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Target {
        parse(url, None).unwrap()
    }

    fn tls_of(url: &str) -> (SslMode, Verify) {
        let target = parsed(url);
        (target.configs[0].get_ssl_mode(), target.verify)
    }

    #[test]
    fn tls_is_used_off_loopback_and_verified_as_far_as_the_url_says() {
        let url = |host: &str, query: &str| tls_of(&format!("postgres://u:p@{host}/d{query}"));
        assert_eq!(url("localhost", ""), (SslMode::Disable, Verify::Nothing));
        assert_eq!(url("127.0.0.1,[::1]", ""), (SslMode::Disable, Verify::Nothing));
        assert_eq!(url("db.example.org", ""), (SslMode::Require, Verify::Nothing));
        let elsewhere = (SslMode::Require, Verify::Nothing);
        assert_eq!(url("localhost", "?hostaddr=203.0.113.5"), elsewhere);
        assert_eq!(url("localhost,db.example.org", ""), (SslMode::Require, Verify::Nothing));
        assert_eq!(url("db", "?sslrootcert=/ca.pem"), (SslMode::Require, Verify::Full));
        assert_eq!(url("localhost", "?sslrootcert=/ca.pem"), (SslMode::Require, Verify::Full));
        for (mode, expected) in [
            ("disable", (SslMode::Disable, Verify::Nothing)),
            ("prefer", (SslMode::Prefer, Verify::Nothing)),
            ("require", (SslMode::Require, Verify::Nothing)),
            ("require&sslrootcert=/ca", (SslMode::Require, Verify::Authority)),
            ("verify-ca", (SslMode::Require, Verify::Full)),
            ("verify-ca&sslrootcert=/ca", (SslMode::Require, Verify::Authority)),
            ("require&sslrootcert=system", (SslMode::Require, Verify::Full)),
            ("verify-full", (SslMode::Require, Verify::Full)),
        ] {
            assert_eq!(url("db", &format!("?sslmode={mode}")), expected, "{mode}");
        }
    }

    #[test]
    fn parameters_are_taken_out_wherever_they_are() {
        let url = "postgres://u:p%3F@a:1,b:2/d?connect_timeout=3&sslrootcert=/my%20c+a.pem&\
                   sslmode=verify-ca&application_name=x";
        let target = parsed(url);
        assert_eq!(target.roots, Roots::File("/my c+a.pem".into()));
        assert_eq!(target.configs[0].get_application_name(), Some("x"));
        assert_eq!(target.configs[0].get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(target.configs[0].get_password(), Some(b"p?".as_slice()));
        assert_eq!(target.name(), "a:1,b:2/d");
    }

    #[test]
    fn a_file_of_certificates_counts_instead_of_that_of_the_url() {
        let url = "postgres://u@db/d?sslrootcert=/there.pem";
        let target = parse(url, Some(Path::new("/here.pem"))).unwrap();
        assert_eq!((target.roots, target.verify), (Roots::File("/here.pem".into()), Verify::Full));
        let verify = |mode: &str| {
            let url = format!("postgres://u@db/d?sslmode={mode}");
            parse(&url, Some(Path::new("/here.pem"))).map(|target| target.verify)
        };
        assert_eq!(verify("require"), Ok(Verify::Full));
        assert_eq!(verify("verify-ca"), Ok(Verify::Authority));
        assert!(verify("prefer").is_err() && verify("disable").is_err());
    }

    #[test]
    fn a_writable_server_is_wanted_unless_the_url_says_otherwise() {
        let attributes = |url| parsed(url).configs[0].get_target_session_attrs();
        assert_eq!(attributes("postgres://u@a,b/d"), TargetSessionAttrs::ReadWrite);
        let any = "postgres://u@a/d?target_session_attrs=any";
        assert_eq!(attributes(any), TargetSessionAttrs::Any);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, part) in [
            ("", "begin with postgres://"),
            ("mysql://u:secret@h/d", "begin with postgres://"),
            ("host=h password=secret", "begin with postgres://"),
            ("postgres://u:secret@/d", "host"),
            ("postgres://u:secret@h", "name of a database"),
            ("postgres://u:secret@h/d?sslmode=allow", "verify-full"),
            ("postgres://u:secret@h/d?sslkey=k", "`sslkey` is not supported"),
            ("postgres://u:secret@h/d?unknown=secret", "unknown"),
            ("postgres://u:secret@h:port/d", "port"),
            ("postgres://u:se@secret@h/d", "%40"),
            ("postgres://u:s@e/secret@h/d", "%40"),
            ("postgres://u:s?e@secret/d", "%40"),
            ("postgres://h/d?user=u@secret&password=secret", "%40"),
        ] {
            let error = parse(url, None).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
