//! Talks to the services: a small HTTP/1.1 client whose requests have a deadline and whose
//! answers are bounded.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tracing::debug;
use url::{Host, Position, Url};

use crate::chain;
use crate::token::Token;
use crate::wait::in_words;

/// The longest answer: lists are read whole, and more than this is not seed data.
const MAX_BYTES: usize = 256 << 20;

/// Where a service answers over HTTP: host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: Host<String>,
    port: u16,
}

/// A connection to a service that nobody can eavesdrop on.
pub trait Tunnel: fmt::Debug + Send + Sync {
    /// Connects to the service.
    fn open(&self) -> Opening<'_>;
}

/// A tunnel that is being opened.
pub type Opening<'a> =
    Pin<Box<dyn Future<Output = Result<UnixStream, ConnectionError>> + Send + 'a>>;

/// Sends requests to a service, directly or through a tunnel. A token is sent only where nobody
/// can eavesdrop: through an SSH connection, or within this machine.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
    token: Option<Token>,
    /// The tunnel to use instead of a direct connection.
    through: Option<Arc<dyn Tunnel>>,
}

/// `SERVICE=URL` on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUrl {
    /// The service's name.
    pub service: String,
    /// Where it answers.
    pub endpoint: Endpoint,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its whole body.
    pub body: Bytes,
}

/// Why a request failed. The text begins with the URL.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {cause}")]
pub struct HttpError {
    /// What was asked for.
    pub url: String,
    /// What went wrong.
    pub cause: String,
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

    async fn connect(&self) -> io::Result<TcpStream> {
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

impl From<Endpoint> for Client {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoint, token: None, through: None }
    }
}

impl Client {
    /// A client that sends the token only if the endpoint is on this machine: elsewhere, others
    /// could read it in transit.
    pub fn local(endpoint: Endpoint, token: Option<Token>) -> Self {
        let token = token.filter(|_| endpoint.is_local());
        Self { endpoint, token, through: None }
    }

    /// A client that connects through a tunnel. Its requests still name the endpoint.
    pub fn through(
        tunnel: impl Tunnel + 'static,
        endpoint: Endpoint,
        token: Option<Token>,
    ) -> Self {
        Self { endpoint, token, through: Some(Arc::new(tunnel)) }
    }

    /// Where the service answers, as others name it.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks for a path.
    pub async fn get(&self, path: &str, timeout: Duration) -> Result<Answer, HttpError> {
        self.request(Method::GET, path, Bytes::new(), timeout).await
    }

    /// Posts a JSON body to a path.
    pub async fn post(
        &self,
        path: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, HttpError> {
        self.request(Method::POST, path, body, timeout).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, HttpError> {
        let failed = |cause: String| HttpError { url: self.endpoint.url(path), cause };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.endpoint.authority())
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.header());
        }
        let request = request.body(Full::new(body)).map_err(|error| failed(error.to_string()))?;
        let (what, begun) = (request.method().clone(), Instant::now());
        let answer = match tokio::time::timeout(timeout, self.send(request)).await {
            Ok(answer) => answer.map_err(|error| failed(chain(&*error))),
            Err(_) => Err(failed(format!("no answer within {} s", timeout.as_secs_f32()))),
        };
        let took = in_words(begun.elapsed());
        match &answer {
            Ok(Answer { status, .. }) => {
                debug!("{what} {}: {status}, in {took}", self.endpoint.url(path));
            }
            Err(error) => debug!("{what} {error}, in {took}"),
        }
        answer
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, ConnectionError> {
        if let Some(tunnel) = &self.through {
            return exchange(tunnel.open().await?, request).await;
        }
        let stream = self.endpoint.connect().await?;
        stream.set_nodelay(true)?;
        exchange(stream, request).await
    }
}

/// Why a connection failed.
pub type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

/// Sends a request over a connection of its own and reads the whole answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, ConnectionError> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await?.to_bytes();
        Ok(Answer { status, body })
    };
    // The connection does the reading and writing while the exchange waits for it.
    tokio::select! {
        answer = exchange => answer,
        Err(error) = connection => Err(error.into()),
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
    fn a_token_stays_on_this_machine() {
        let client = |url: &str| Client::local(url.parse().unwrap(), Token::new("eventpost_x"));
        for url in
            ["http://127.0.0.1:8000", "http://LOCALHOST:8000", "http://[::1]:80", "http://127.1"]
        {
            assert!(client(url).token.is_some(), "{url}");
        }
        for url in ["http://10.0.0.1", "http://localhost.example.org", "http://[2001:db8::1]"] {
            assert!(client(url).token.is_none(), "{url}");
        }
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
