//! This module owns a user's connection: made when it is needed, kept where the script
//! says so, and made anew when the other side closes it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;

use super::stats::Outcome;
use crate::http::{self, Endpoint};

/// A connection to a service.
#[derive(Debug)]
pub(super) struct Connection<'a> {
    endpoint: &'a Endpoint,
    keepalive: bool,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl<'a> Connection<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, keepalive: bool) -> Self {
        Self { endpoint, keepalive, sender: None }
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
    ) -> (Outcome, Bytes) {
        let failed = |error: String| (Outcome::Failed(error), Bytes::new());
        match tokio::time::timeout(timeout, self.send(request)).await {
            Ok(Ok((status, body))) => {
                if !self.keepalive {
                    self.sender = None;
                }
                let bytes = body.len() as u64;
                let outcome = if status < 400 {
                    Outcome::Answered(bytes)
                } else {
                    Outcome::Refused(status, bytes)
                };
                (outcome, body)
            }
            Ok(Err(error)) => {
                self.sender = None;
                failed(error)
            }
            Err(_) => {
                // The answer may still come, and would be taken for the next one's.
                self.sender = None;
                failed("timed out".into())
            }
        }
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), String> {
        if let Some(sender) = &mut self.sender
            && sender.ready().await.is_err()
        {
            // The other side has closed it.
            self.sender = None;
        }
        let sender = match &mut self.sender {
            Some(sender) => sender,
            sender => sender.insert(connect(self.endpoint).await?),
        };
        let broken = |error: hyper::Error| format!("connection broke: {error}");
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(broken)?.to_bytes();
        Ok((status, body))
    }
}

async fn connect(endpoint: &Endpoint) -> Result<SendRequest<Full<Bytes>>, String> {
    let (sender, connection) = http::connect(endpoint.authority())
        .await
        .map_err(|error| format!("cannot connect: {error}"))?;
    // What ends it shows at the next request.
    tokio::spawn(connection);
    Ok(sender)
}
