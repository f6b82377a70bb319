//! Sends requests to an authority, each on a connection of its own: there are a dozen of them in
//! two months.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Body;
use hyper::client::conn::http1::handshake;
use hyper::header::{HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use jiff::Timestamp;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long the authority may take for an answer, from the look-up of its name on.
const TIMEOUT: Duration = Duration::from_secs(30);
/// More than any answer of an authority has.
const MAX_ANSWER_BYTES: usize = 1 << 20;

type BoxError = Box<dyn Error + Send + Sync>;

/// Sends requests to an authority.
#[derive(Clone)]
pub(super) struct Client {
    connector: TlsConnector,
    /// Until when it wants to be left alone, in seconds since 1970, if it has said so.
    wait_until: Arc<Mutex<Option<i64>>>,
}

impl Client {
    /// A client that trusts those whose certificates lead to one of the roots.
    pub(super) fn new(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), wait_until: Arc::default() })
    }

    /// Checks that there is an authority at the URL of its directory.
    pub(super) async fn reach(&self, directory: &Uri) -> Result<(), String> {
        let request = Request::get(directory).body(Empty::<Bytes>::new());
        let request = request.map_err(|error| error.to_string())?;
        match self.send(request).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status())),
            Err(error) => Err(chain(&*error)),
        }
    }

    /// Until when the authority wants to be left alone, once for each time that it says so.
    pub(super) fn take_wait(&self) -> Option<i64> {
        self.wait_until.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn send<B>(&self, request: Request<B>) -> Result<Response<Bytes>, BoxError>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let answer = tokio::time::timeout(TIMEOUT, self.exchange(request)).await;
        let answer = answer.map_err(|_| format!("no answer within {} s", TIMEOUT.as_secs()))??;
        if let Some(until) = wait_until(&answer, Timestamp::now()) {
            *self.wait_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
        Ok(answer)
    }

    async fn exchange<B>(&self, mut request: Request<B>) -> Result<Response<Bytes>, BoxError>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let uri = std::mem::take(request.uri_mut());
        if uri.scheme_str() != Some("https") {
            return Err(format!("{uri} does not begin with https://").into());
        }
        let authority = uri.authority().ok_or_else(|| format!("{uri} names no host"))?;
        // Addresses of IPv6 stand in brackets in URLs alone.
        let host = authority.host().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(443))).await?;
        let name = ServerName::try_from(host.to_owned())?;
        let stream = self.connector.connect(name, stream).await?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse()?;
        let host = HeaderValue::from_str(authority.as_str())?;
        request.headers_mut().insert(HOST, host);
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let answer = async {
            let (parts, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes();
            Ok::<_, BoxError>(Response::from_parts(parts, body))
        };
        // The connection reads and writes while the answer is awaited.
        tokio::select! {
            answer = answer => answer,
            Err(error) = connection => Err(error.into()),
        }
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let answer = client.send(request).await.map_err(instant_acme::Error::Other)?;
            let (parts, body) = answer.into_parts();
            Ok(BytesResponse { parts, body: Box::new(body) })
        })
    }
}

/// Until when an answer asks to send nothing more, in seconds since 1970. Others than refusals
/// say when to ask for the same again, which is no such wish.
fn wait_until<B>(answer: &Response<B>, now: Timestamp) -> Option<i64> {
    if !matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let value = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(now.as_second() + i64::from(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(date.as_second())
}

/// An error and its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some errors have the text of their cause.
        let inner = error.to_string();
        if !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_how_long_to_wait() {
        let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        for (status, value, wait) in [
            (429, "120", Some(120)),
            (503, "Tue, 01 Dec 2026 01:00:00 GMT", Some(3600)),
            (503, "soon", None),
            (200, "120", None),
            (400, "120", None),
        ] {
            let answer = Response::builder().status(status).header(RETRY_AFTER, value);
            let until = wait_until(&answer.body(()).unwrap(), now);
            assert_eq!(until.map(|until| until - now.as_second()), wait, "{status} {value}");
        }
    }
}
