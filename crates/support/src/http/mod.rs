//! Talks to the services: a small HTTP/1.1 client whose requests have a deadline and whose
//! answers are bounded.

mod endpoint;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tracing::debug;

pub use endpoint::{Endpoint, ServiceUrl};

use crate::chain;
use crate::token::Token;
use crate::wait::in_words;

/// The longest answer: lists are read whole, and more than this is not seed data.
const MAX_BYTES: usize = 256 << 20;

/// A connection to a service that nobody can eavesdrop on.
pub trait Tunnel: fmt::Debug + Send + Sync {
    /// Connects to the service.
    fn open(&self) -> Opening<'_>;
}

/// A tunnel that is being opened.
pub type Opening<'a> =
    Pin<Box<dyn Future<Output = Result<UnixStream, ConnectionError>> + Send + 'a>>;

/// Sends requests to a service, directly or through a tunnel. A token is sent only if nobody
/// can eavesdrop: through an SSH connection, or within this machine.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
    token: Option<Token>,
    /// The tunnel to use instead of a direct connection.
    through: Option<Arc<dyn Tunnel>>,
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

    /// Deletes what is at a path.
    pub async fn delete(&self, path: &str, timeout: Duration) -> Result<Answer, HttpError> {
        self.request(Method::DELETE, path, Bytes::new(), timeout).await
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
        let (what, start) = (request.method().clone(), Instant::now());
        let answer = match tokio::time::timeout(timeout, self.send(request)).await {
            Ok(answer) => answer.map_err(|error| failed(chain(&*error))),
            Err(_) => Err(failed(format!("no answer within {} s", timeout.as_secs_f32()))),
        };
        let took = in_words(start.elapsed());
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
