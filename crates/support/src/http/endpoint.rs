//! Where services answer.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use tokio::net::TcpStream;
use url::{Host, Position, Url};

use super::{Answer, Client, HttpError};

/// Where a service answers over HTTP: host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: Host<String>,
    port: u16,
}

/// `SERVICE=URL` on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUrl {
    /// The service's name.
    pub service: String,
    /// Where it answers.
    pub endpoint: Endpoint,
}

impl Endpoint {
    /// The endpoint at an address.
    pub fn at(address: SocketAddr) -> Self {
        let host = match address.ip() {
            IpAddr::V4(ip) => Host::Ipv4(ip),
            IpAddr::V6(ip) => Host::Ipv6(ip),
        };
        Self { host, port: address.port() }
    }

    /// `host:port`, as the `Host` header has it.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The URL of a path below it.
    pub fn url(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// Whether requests to it stay on this machine.
    pub fn is_local(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
        }
    }

    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        match &self.host {
            Host::Domain(name) => TcpStream::connect((name.as_str(), self.port)).await,
            Host::Ipv4(ip) => TcpStream::connect((*ip, self.port)).await,
            Host::Ipv6(ip) => TcpStream::connect((*ip, self.port)).await,
        }
    }

    /// Asks for a path, without a token.
    pub async fn get(&self, path: &str, timeout: Duration) -> Result<Answer, HttpError> {
        Client::from(self.clone()).get(path, timeout).await
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
        let ("http", Some(host)) = (url.scheme(), url.host()) else {
            return Err(format!("`{text}` must be like http://HOST:PORT"));
        };
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || &url[Position::BeforePath..] != "/" {
            return Err(format!("`{text}` must end after the port: http://HOST:PORT"));
        }
        Ok(Self { host: host.to_owned(), port: url.port_or_known_default().unwrap_or(80) })
    }
}

impl FromStr for ServiceUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, url) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` must be like events=http://HOST:PORT"))?;
        Ok(Self { service: service.into(), endpoint: url.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_services_are_read() {
        let read: ServiceUrl = "events=http://127.0.0.1:8000".parse().unwrap();
        assert_eq!(read.service, "events");
        assert_eq!(read.endpoint.url("/events"), "http://127.0.0.1:8000/events");
        let read: Endpoint = "http://example.org/".parse().unwrap();
        assert_eq!(read.url("/readyz"), "http://example.org:80/readyz");
        let at = Endpoint::at("[2001:db8::1]:8000".parse().unwrap());
        assert_eq!(at, "http://[2001:db8::1]:8000".parse().unwrap());
    }

    #[test]
    fn other_urls_are_refused_with_the_form_to_use() {
        for text in [
            "",
            "localhost",
            "https://a:1",
            "http://a:1/events",
            "http://a:1/?q",
            "http://a:1/#f",
            "http://u:p@a",
            "http://u@a",
            "/events",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
        assert!("http://127.0.0.1".parse::<ServiceUrl>().unwrap_err().contains("events=http://"));
    }
}
