//! The URL of a database: where it is read from, and the parameters that the driver does not know.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::{DatabaseUrl, DatabaseUrlError};

/// How long a host may take to accept a connection, unless the URL says another time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After this time without an answer of its host a connection is closed, unless the URL says
/// another.
const UNANSWERED_TIMEOUT: Duration = Duration::from_secs(10);
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
    pub(super) config: Config,
    pub(super) verify: Verify,
    pub(super) roots: Roots,
}

/// The hosts and the name of a database, for messages.
pub(super) fn name(url: &DatabaseUrl) -> Result<String, DatabaseUrlError> {
    Ok(target(url)?.name())
}

/// Reads and parses a URL.
pub(super) fn target(url: &DatabaseUrl) -> Result<Target, DatabaseUrlError> {
    match url {
        DatabaseUrl::Value(url) => parse(url),
        DatabaseUrl::File(path) => parse(&read(path)?),
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
    sslrootcert: Option<String>,
    has_target: bool,
    rest: String,
}

/// Splits a URL before its parameters. A password may have a question mark, but no `@`.
fn split(url: &str) -> (&str, &str) {
    let after_password = url.find('@').map_or(0, |at| at + 1);
    match url[after_password..].find('?') {
        Some(at) => (&url[..after_password + at], &url[after_password + at + 1..]),
        None => (url, ""),
    }
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
            "sslrootcert" => found.sslrootcert = Some(value()),
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

fn parse(url: &str) -> Result<Target, DatabaseUrlError> {
    let invalid = |message: &str| DatabaseUrlError::Invalid(message.into());
    let url = url.trim();
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(invalid("it does not begin with postgres://"));
    }
    let (base, query) = split(url);
    let parameters = parameters(query)?;
    let mut config = Config::from_str(&format!("{base}{}", parameters.rest))
        .map_err(|error| invalid(&reason(&error)))?;
    if config.get_hosts().is_empty() {
        return Err(invalid("it has no host"));
    }
    if config.get_dbname().is_none_or(str::is_empty) {
        return Err(invalid("it has no name of a database"));
    }
    let (mode, verify) = tls(&parameters, is_local(&config))?;
    config.ssl_mode(mode);
    let roots = match parameters.sslrootcert {
        None => Roots::Public,
        Some(path) if path == "system" => Roots::Public,
        Some(path) => Roots::File(path.into()),
    };
    if !parameters.has_target {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNANSWERED_TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("eventpost");
    }
    Ok(Target { config, verify, roots })
}

/// What the driver's error says, with its cause. It names parameters and shows no values.
fn reason(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Whether TLS is used, and whose certificate is accepted. The names are those of libpq:
/// <https://www.postgresql.org/docs/current/libpq-ssl.html>.
fn tls(parameters: &Parameters, is_local: bool) -> Result<(SslMode, Verify), DatabaseUrlError> {
    let has_roots = parameters.sslrootcert.is_some();
    // With certificates of an authority libpq verifies with `require`, too.
    let required = if has_roots { Verify::Authority } else { Verify::Nothing };
    Ok(match parameters.sslmode.as_deref() {
        None if is_local && !has_roots => (SslMode::Disable, Verify::Nothing),
        None if has_roots => (SslMode::Require, Verify::Full),
        None | Some("require") => (SslMode::Require, required),
        Some("disable") => (SslMode::Disable, Verify::Nothing),
        Some("prefer") => (SslMode::Prefer, required),
        Some("verify-ca") => (SslMode::Require, Verify::Authority),
        Some("verify-full") => (SslMode::Require, Verify::Full),
        Some(_) => {
            let modes = "disable, prefer, require, verify-ca or verify-full";
            return Err(DatabaseUrlError::Invalid(format!("sslmode must be {modes}")));
        }
    })
}

/// Whether all hosts are this machine.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|it| it.to_canonical().is_loopback())
        }
    })
}

impl Target {
    /// The hosts and the name of the database, for messages.
    pub(super) fn name(&self) -> String {
        let (hosts, ports) = (self.config.get_hosts(), self.config.get_ports());
        let host = |(at, host): (usize, &Host)| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Unix(path) => path.display().to_string(),
                Host::Tcp(name) => format!("{name}:{port}"),
            }
        };
        let hosts: Vec<_> = hosts.iter().enumerate().map(host).collect();
        format!("{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Target {
        parse(url).unwrap()
    }

    fn tls_of(url: &str) -> (SslMode, Verify) {
        let target = parsed(url);
        (target.config.get_ssl_mode(), target.verify)
    }

    #[test]
    fn tls_is_used_off_loopback_and_verified_as_far_as_the_url_says() {
        let url = |host: &str, query: &str| tls_of(&format!("postgres://u:p@{host}/d{query}"));
        assert_eq!(url("localhost", ""), (SslMode::Disable, Verify::Nothing));
        assert_eq!(url("127.0.0.1,[::1]", ""), (SslMode::Disable, Verify::Nothing));
        assert_eq!(url("db.example.org", ""), (SslMode::Require, Verify::Nothing));
        assert_eq!(url("localhost,db.example.org", ""), (SslMode::Require, Verify::Nothing));
        assert_eq!(url("db", "?sslrootcert=/ca.pem"), (SslMode::Require, Verify::Full));
        assert_eq!(url("localhost", "?sslrootcert=/ca.pem"), (SslMode::Require, Verify::Full));
        for (mode, expected) in [
            ("disable", (SslMode::Disable, Verify::Nothing)),
            ("prefer", (SslMode::Prefer, Verify::Nothing)),
            ("require", (SslMode::Require, Verify::Nothing)),
            ("require&sslrootcert=/ca", (SslMode::Require, Verify::Authority)),
            ("verify-ca", (SslMode::Require, Verify::Authority)),
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
        assert_eq!(target.config.get_application_name(), Some("x"));
        assert_eq!(target.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(target.config.get_password(), Some(b"p?".as_slice()));
        assert_eq!(target.name(), "a:1,b:2/d");
        let question = parse("postgres://u:p?a@host/d?sslmode=require").unwrap();
        assert_eq!(question.config.get_password(), Some(b"p?a".as_slice()));
    }

    #[test]
    fn a_writable_server_is_wanted_unless_the_url_says_otherwise() {
        let attributes = |url| parsed(url).config.get_target_session_attrs();
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
        ] {
            let error = parse(url).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
