//! What a script describes: executions of scenarios, which are lists of requests.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::header::HeaderName;
use support::http::Endpoint;
use support::token::Token;

use super::assert::Assertion;
use super::extract::Extractor;
use super::response::{ResponseParts, Subject};
use super::template::Template;
use crate::exchange::Keep;

/// A scenario with its number of virtual users and its duration.
#[derive(Debug, Clone)]
pub struct Execution {
    /// What its users do.
    pub scenario: Arc<Scenario>,
    /// Where its requests are sent, if not to the scenario's endpoint.
    pub endpoint: Option<Endpoint>,
    /// The token of requests that have no `Authorization` header.
    pub token: Option<Token>,
    /// How many users there are after the ramp-up.
    pub users: u32,
    /// How many requests a second all users together may send.
    pub throughput: Option<f64>,
    /// How many requests a second are due, whether or not a user is free to send them. This
    /// makes an open loop, in which the throughput bounds nothing.
    pub rate: Option<f64>,
    /// The time in which users start and the throughput rises.
    pub ramp_up: Duration,
    /// The number of steps in which they do; without, evenly.
    pub steps: Option<u32>,
    /// How long it runs after that; without, until the iterations are done.
    pub hold_for: Option<Duration>,
    /// How many times each user goes through the scenario.
    pub iterations: Option<u32>,
    /// When it begins.
    pub delay: Duration,
}

/// Requests that a virtual user sends one after another.
#[derive(Debug)]
pub struct Scenario {
    /// Its name in the script.
    pub name: String,
    /// Where its requests are sent.
    pub endpoint: Endpoint,
    /// Whether users keep their connections.
    pub keepalive: bool,
    /// The requests, at least one.
    pub requests: Vec<Request>,
}

/// A request.
#[derive(Debug)]
pub struct Request {
    /// The label that its samples are counted under.
    pub label: String,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: Template,
    /// Its headers, including the scenario's.
    pub headers: Vec<(HeaderName, Template)>,
    /// Its body.
    pub body: Option<Template>,
    /// The file that the body was read from.
    pub(super) body_file: Option<String>,
    /// How long its response may take.
    pub timeout: Duration,
    /// How long the user pauses after it.
    pub think_time: Duration,
    /// What is extracted from its response for later requests.
    pub extractors: Vec<Extractor>,
    /// What its response must have.
    pub assertions: Vec<Assertion>,
    /// Whether a redirect is a success.
    pub accepts_redirects: bool,
}

impl Execution {
    /// Where its requests are sent.
    pub fn endpoint(&self) -> &Endpoint {
        self.endpoint.as_ref().unwrap_or(&self.scenario.endpoint)
    }

    /// How long it runs at most; `None` if it ends after its iterations.
    pub fn max_duration(&self) -> Option<Duration> {
        match (self.hold_for, self.iterations) {
            (None, Some(_)) => None,
            // Without `hold-for`, it ends with its ramp-up.
            (hold, _) => Some(self.ramp_up + hold.unwrap_or_default()),
        }
    }
}

impl Request {
    /// Which parts of its response must be kept.
    pub(crate) fn keep(&self) -> Keep {
        let extracted = self.extractors.iter().map(Extractor::subject);
        let subjects = extracted.chain(self.assertions.iter().map(|it| it.subject));
        let mut keep = Keep { head: false, body: false };
        for subject in subjects {
            keep.head |= subject == Subject::Headers;
            keep.body |= subject == Subject::Body;
        }
        keep
    }

    /// Why a response makes the request a failed one, if it does.
    pub(crate) fn failure(&self, response: &ResponseParts<'_>) -> Option<String> {
        let assumes_success = self.assertions.iter().any(|assertion| assertion.assume_success);
        match response.status {
            300..=399 if !self.accepts_redirects && !assumes_success => {
                return Some(format!("status {} (redirects are not followed)", response.status));
            }
            400.. if !assumes_success => return Some(format!("status {}", response.status)),
            _ => {}
        }
        self.assertions.iter().find_map(|assertion| assertion.failure(response))
    }
}
