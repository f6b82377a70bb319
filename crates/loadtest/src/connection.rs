//! A virtual user's connection: opened when it is needed, kept open if the script says so, and
//! reopened when the server closes it.

use std::pin::Pin;
use std::time::Duration;

use support::http::Endpoint;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::exchange::{Exchange, Keep, Response};

/// A connection to a service.
#[derive(Debug)]
pub(super) struct Connection<'a> {
    endpoint: &'a Endpoint,
    keepalive: bool,
    exchange: Option<Exchange>,
    timeout: LazyTimeout,
}

/// A timer that is set again only when it has run out: timeouts are long and responses quick,
/// and a timer for each request would cost as much as the request.
#[derive(Debug)]
struct LazyTimeout(Pin<Box<Sleep>>);

/// A request as it is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutgoingRequest<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) is_head: bool,
    pub(super) keep: Keep,
}

impl<'a> Connection<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, keepalive: bool) -> Self {
        let timeout = LazyTimeout(Box::pin(sleep_until(Instant::now())));
        Self { endpoint, keepalive, exchange: None, timeout }
    }

    /// Sends a request and reads the complete response, within `timeout` from `now`.
    pub(super) async fn exchange(
        &mut self,
        request: OutgoingRequest<'_>,
        now: Instant,
        timeout: Duration,
        response: &mut Response,
    ) -> Result<(), String> {
        let exchanged = tokio::select! {
            biased;
            exchanged = send(&mut self.exchange, self.endpoint, request, response) => exchanged,
            () = self.timeout.at(now + timeout) => Err("timed out".into()),
        };
        // After a timeout the response may still arrive, and would be taken for the next one.
        if exchanged.is_err() || !self.keepalive || !response.reusable {
            self.exchange = None;
        }
        exchanged
    }
}

async fn send(
    kept: &mut Option<Exchange>,
    endpoint: &Endpoint,
    request: OutgoingRequest<'_>,
    response: &mut Response,
) -> Result<(), String> {
    if !kept.as_ref().is_some_and(Exchange::is_idle) {
        *kept = Some(connect(endpoint).await.map_err(|error| format!("cannot connect: {error}"))?);
    }
    let exchange = kept.as_mut().expect("it was connected above");
    exchange.run(request.bytes, request.is_head, request.keep, response).await
}

async fn connect(endpoint: &Endpoint) -> std::io::Result<Exchange> {
    let stream = TcpStream::connect(endpoint.authority()).await?;
    stream.set_nodelay(true)?;
    Ok(Exchange::new(stream))
}

impl LazyTimeout {
    /// Ends at the deadline.
    async fn at(&mut self, deadline: Instant) {
        if self.0.deadline() > deadline {
            self.0.as_mut().reset(deadline);
        }
        loop {
            self.0.as_mut().await;
            if Instant::now() >= deadline {
                return;
            }
            self.0.as_mut().reset(deadline);
        }
    }
}
