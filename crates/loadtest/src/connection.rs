//! A user's connection: opened when it is needed, kept open where the script says so, and
//! reopened when the other side closes it.

use std::pin::Pin;
use std::time::Duration;

use support::http::Endpoint;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::exchange::{Answer, Exchange, Keep};

/// A connection to a service.
#[derive(Debug)]
pub(super) struct Connection<'a> {
    endpoint: &'a Endpoint,
    keepalive: bool,
    exchange: Option<Exchange>,
    alarm: Alarm,
}

/// A timer that is set anew only when it has run out: timeouts are long and answers
/// quick, and a timer for each request would cost as much as the request.
#[derive(Debug)]
struct Alarm(Pin<Box<Sleep>>);

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) is_head: bool,
    pub(super) keep: Keep,
}

impl<'a> Connection<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, keepalive: bool) -> Self {
        let alarm = Alarm(Box::pin(sleep_until(Instant::now())));
        Self { endpoint, keepalive, exchange: None, alarm }
    }

    /// Sends a request and reads the whole answer, within `timeout` from `now`.
    pub(super) async fn exchange(
        &mut self,
        request: Outgoing<'_>,
        now: Instant,
        timeout: Duration,
        answer: &mut Answer,
    ) -> Result<(), String> {
        let exchanged = tokio::select! {
            biased;
            exchanged = send(&mut self.exchange, self.endpoint, request, answer) => exchanged,
            () = self.alarm.at(now + timeout) => Err("timed out".into()),
        };
        // After a timeout the answer may still come, and would be taken for the next one's.
        if exchanged.is_err() || !self.keepalive || !answer.reusable {
            self.exchange = None;
        }
        exchanged
    }
}

async fn send(
    kept: &mut Option<Exchange>,
    endpoint: &Endpoint,
    request: Outgoing<'_>,
    answer: &mut Answer,
) -> Result<(), String> {
    if !kept.as_ref().is_some_and(Exchange::is_idle) {
        *kept = Some(connect(endpoint).await.map_err(|error| format!("cannot connect: {error}"))?);
    }
    let exchange = kept.as_mut().expect("there is a connection now");
    exchange.run(request.bytes, request.is_head, request.keep, answer).await
}

async fn connect(endpoint: &Endpoint) -> std::io::Result<Exchange> {
    let stream = TcpStream::connect(endpoint.authority()).await?;
    stream.set_nodelay(true)?;
    Ok(Exchange::new(stream))
}

impl Alarm {
    /// Comes to its end when that time has come.
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
