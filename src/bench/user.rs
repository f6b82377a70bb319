//! This module owns one user: it goes through its scenario again and again until its
//! time is over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use tokio::time::Instant;

use super::connection::Connection;
use super::pace::{self, Pace};
use super::run::Live;
use super::script::{self, Execution, Scenario, Variables};
use super::stats::Stats;

/// What the users of an execution share.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) execution: Arc<Execution>,
    pub(super) pace: Option<Pace>,
    /// When the execution begins, its delay included.
    pub(super) begin: Instant,
    pub(super) live: Arc<Live>,
}

/// Runs the user of a number, from 0, and returns what it measured.
pub(super) async fn run(number: u32, crowd: Arc<Crowd>) -> Stats {
    let execution = &*crowd.execution;
    let scenario = &*execution.scenario;
    let start = crowd.begin + pace::start_of(number, execution);
    let end = lasts(execution).map(|lasts| crowd.begin + lasts);
    tokio::time::sleep_until(start).await;
    let _user = crowd.live.user();
    let mut user = User {
        scenario,
        crowd: &crowd,
        end,
        connection: Connection::new(execution.endpoint(), scenario.keepalive),
        variables: Variables::new(),
        random: u64::from(number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        stats: Stats::new(scenario.requests.len()),
    };
    let mut rounds = 0;
    while execution.iterations.is_none_or(|iterations| rounds < iterations) && user.round().await {
        rounds += 1;
    }
    user.stats
}

struct User<'a> {
    scenario: &'a Scenario,
    crowd: &'a Crowd,
    end: Option<Instant>,
    connection: Connection<'a>,
    variables: Variables,
    random: u64,
    stats: Stats,
}

impl User<'_> {
    /// Goes through the scenario once; false when its time was over before the end.
    async fn round(&mut self) -> bool {
        for (number, request) in self.scenario.requests.iter().enumerate() {
            if !self.wait().await {
                return false;
            }
            self.send(number, request).await;
            if !request.think_time.is_zero() {
                tokio::time::sleep(request.think_time).await;
            }
        }
        true
    }

    /// Waits until the next request may be sent; false when its time is over by then.
    async fn wait(&self) -> bool {
        let now = Instant::now();
        let mut at = now;
        if let Some(pace) = &self.crowd.pace {
            at = self.crowd.begin + pace.claim(now - self.crowd.begin);
        }
        if self.end.is_some_and(|end| at.max(now) >= end) {
            return false;
        }
        if at > now {
            tokio::time::sleep_until(at).await;
        }
        true
    }

    async fn send(&mut self, number: usize, request: &script::Request) {
        let sent = Instant::now();
        let (outcome, body) = match self.request(request) {
            Ok(filled) => self.connection.exchange(filled, request.timeout).await,
            Err(error) => (super::stats::Outcome::Failed(error), Bytes::new()),
        };
        let ended = Instant::now();
        for extractor in &request.extractors {
            let random = &mut self.random;
            extractor.extract(&body, &mut self.variables, |below| below_random(random, below));
        }
        self.crowd.live.request(&outcome);
        self.stats.record(number, ended - self.crowd.begin, ended - sent, outcome);
    }

    fn request(&self, request: &script::Request) -> Result<Request<Full<Bytes>>, String> {
        let path = request.path.fill(&self.variables);
        let mut filled = Request::builder()
            .method(&request.method)
            .uri(path)
            .header(HOST, self.crowd.execution.endpoint().authority());
        for (name, value) in &request.headers {
            filled = filled.header(name, value.fill(&self.variables));
        }
        if !self.scenario.keepalive {
            filled = filled.header(CONNECTION, HeaderValue::from_static("close"));
        }
        let body = request.body.as_ref().map(|body| body.fill(&self.variables));
        let body = Full::from(Bytes::from(body.unwrap_or_default()));
        filled.body(body).map_err(|error| format!("cannot be sent: {error}"))
    }
}

/// A number below `below`, by xorshift: which match is taken needs no better.
fn below_random(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % below as u64).unwrap_or(0)
}

/// How long an execution lasts at most from its beginning; `None` where its iterations
/// decide.
pub(super) fn lasts(execution: &Execution) -> Option<Duration> {
    match (execution.hold_for, execution.iterations) {
        (None, Some(_)) => None,
        // Without anything to hold, the load ends with its ramp-up.
        (hold, _) => Some(execution.ramp_up + hold.unwrap_or_default()),
    }
}
