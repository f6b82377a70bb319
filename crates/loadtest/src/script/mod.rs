//! Load scripts: what users do, how many there are, and for how long, in the syntax of
//! [Taurus](https://gettaurus.org/docs/ExecutionSettings/). Whatever cannot be done as Taurus
//! does it is refused by name, so that a script never means less than it says.

mod assert;
mod criteria;
mod duration;
mod extract;
mod files;
mod read;
mod reply;
mod subset;
mod template;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::header::HeaderName;
use serde_yaml::Value;
use support::http::Endpoint;
use support::token::Token;
use support::yaml::{self, Located};

use super::exchange::Keep;

pub use assert::Assertion;
pub use criteria::Criterion;
pub(super) use criteria::{Chosen, Condition, Logic, Measure};
pub use extract::Extractor;
pub(super) use extract::Matched;
use files::Files;
pub(super) use reply::Reply;
use reply::Subject;
pub use template::{Template, Variables};
pub(super) use template::{in_header, in_path};

/// The script that is run where none is named.
pub const FILE: &str = "performance_testing.yml";

/// The built-in script: the file of that name in this repository.
const DEFAULT: &str = include_str!("../../../../performance_testing.yml");

/// A whole script.
#[derive(Debug)]
pub struct Script {
    /// What is done at the same time.
    pub executions: Vec<Arc<Execution>>,
    /// When the load has failed.
    pub criteria: Vec<Criterion>,
    /// The script as YAML, with the changes of the command line.
    source: Value,
}

/// A scenario and its load.
#[derive(Debug, Clone)]
pub struct Execution {
    /// What its users do.
    pub scenario: Arc<Scenario>,
    /// Where they do it, if not where the scenario says.
    pub endpoint: Option<Endpoint>,
    /// What its requests carry that say nothing of authorization themselves.
    pub token: Option<Token>,
    /// How many users there are once all have started.
    pub users: u32,
    /// Requests a second that all users together may send.
    pub throughput: Option<f64>,
    /// Requests a second that are due whether or not a user is free to send them: an open
    /// loop, in which the throughput bounds nothing.
    pub rate: Option<f64>,
    /// The time in which the users start and the throughput rises.
    pub ramp_up: Duration,
    /// In how many steps they do; without, evenly.
    pub steps: Option<u32>,
    /// How long the load lasts after that; without, until the iterations are done.
    pub hold_for: Option<Duration>,
    /// How often each user goes through the scenario.
    pub iterations: Option<u32>,
    /// When it begins.
    pub delay: Duration,
}

/// Requests, one after another.
#[derive(Debug)]
pub struct Scenario {
    /// Its name in the script.
    pub name: String,
    /// Where its requests go.
    pub endpoint: Endpoint,
    /// Whether a user's connection is kept.
    pub keepalive: bool,
    /// The requests, at least one.
    pub requests: Vec<Request>,
}

/// One request.
#[derive(Debug)]
pub struct Request {
    /// The name under which it is counted.
    pub label: String,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: Template,
    /// Its headers, with those of the scenario.
    pub headers: Vec<(HeaderName, Template)>,
    /// Its body.
    pub body: Option<Template>,
    /// The file that the body was read from.
    pub(super) body_file: Option<String>,
    /// How long its answer may take.
    pub timeout: Duration,
    /// How long the user pauses after it.
    pub think_time: Duration,
    /// What is taken from its answer for later requests.
    pub extractors: Vec<Extractor>,
    /// What its answer must be like.
    pub assertions: Vec<Assertion>,
    /// Whether an answer that sends elsewhere is a good one.
    pub redirects_are_answers: bool,
}

/// Everything that is wrong with a script.
#[derive(Debug)]
pub struct ScriptErrors {
    name: String,
    problems: Vec<Located>,
}

/// A change of the script from the command line: `execution.0.hold-for=5s`.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    path: Vec<String>,
    value: Value,
}

/// Reads the file, or `performance_testing.yml` in the current folder, or the built-in
/// script, with some values changed.
pub fn load(file: Option<&Path>, overrides: &[Override]) -> Result<Script, ScriptErrors> {
    let file = file.or_else(|| Some(Path::new(FILE)).filter(|file| file.exists()));
    let Some(file) = file else {
        return parse(
            DEFAULT,
            "the built-in script".into(),
            &Files::beside(Path::new("")),
            overrides,
        );
    };
    let name = file.display().to_string();
    match fs::read_to_string(file) {
        Ok(text) => parse(&text, name, &Files::beside(file), overrides),
        Err(error) => {
            let problems = vec![Located::whole(format!("cannot be read: {error}"))];
            Err(ScriptErrors { name, problems })
        }
    }
}

/// Reads a script's text, and the files that it names.
fn parse(
    text: &str,
    name: String,
    files: &Files,
    overrides: &[Override],
) -> Result<Script, ScriptErrors> {
    let script = yaml::value(text).and_then(|mut root| {
        for change in overrides {
            change.apply(&mut root).map_err(|message| vec![Located::whole(message)])?;
        }
        yaml::read(text, &root, |root, problems| read::script(root, files, problems))
    });
    script.map_err(|problems| ScriptErrors { name, problems })
}

/// Reads a text as a script of the name `load.yml`, without files.
#[cfg(test)]
pub(super) fn read_text(text: &str) -> Result<Script, String> {
    parse(text, "load.yml".into(), &Files::beside(Path::new("")), &[])
        .map_err(|errors| errors.to_string())
}

impl Execution {
    /// Where the requests go.
    pub fn endpoint(&self) -> &Endpoint {
        self.endpoint.as_ref().unwrap_or(&self.scenario.endpoint)
    }

    /// How long it lasts at most from its beginning; `None` where its iterations decide.
    pub fn lasts(&self) -> Option<Duration> {
        match (self.hold_for, self.iterations) {
            (None, Some(_)) => None,
            // Without anything to hold, the load ends with its ramp-up.
            (hold, _) => Some(self.ramp_up + hold.unwrap_or_default()),
        }
    }
}

impl Request {
    /// What of its answer must be kept.
    pub(super) fn keep(&self) -> Keep {
        let extracted = self.extractors.iter().map(Extractor::subject);
        let subjects = extracted.chain(self.assertions.iter().map(|it| it.subject));
        let mut keep = Keep { head: false, body: false };
        for subject in subjects {
            keep.head |= subject == Subject::Headers;
            keep.body |= subject == Subject::Body;
        }
        keep
    }

    /// What is wrong with an answer, if anything is.
    pub(super) fn complaint(&self, reply: &Reply<'_>) -> Option<String> {
        let is_ignored = self.assertions.iter().any(|assertion| assertion.assume_success);
        match reply.status {
            300..=399 if !self.redirects_are_answers && !is_ignored => {
                return Some(format!("status {} (redirects are not followed)", reply.status));
            }
            400.. if !is_ignored => return Some(format!("status {}", reply.status)),
            _ => {}
        }
        self.assertions.iter().find_map(|assertion| assertion.complaint(reply))
    }
}

impl Script {
    /// Reads a script whose files come with it.
    pub(super) fn bundled(
        text: &str,
        files: BTreeMap<String, String>,
    ) -> Result<Self, ScriptErrors> {
        parse(text, "the load test's script".into(), &Files::Bundled(files), &[])
    }

    /// Makes open loops of the executions of a scenario, or of all where none is named.
    /// False where there is none.
    pub fn set_rate(&mut self, scenario: Option<&str>, rate: f64) -> bool {
        let mut found = false;
        for execution in &mut self.executions {
            if scenario.is_none_or(|name| name == execution.scenario.name) {
                Arc::make_mut(execution).rate = Some(rate);
                found = true;
            }
        }
        found
    }

    /// Sends the requests of scenarios that are for one service to where that service
    /// answers.
    pub fn direct(&mut self, collection: &str, endpoint: &Endpoint) {
        for number in self.of_service(collection) {
            Arc::make_mut(&mut self.executions[number]).endpoint = Some(endpoint.clone());
        }
    }

    /// Has requests that do not leave this machine carry a token.
    pub fn authorize(&mut self, token: &Token) {
        for execution in &mut self.executions {
            if execution.endpoint().is_local() {
                Arc::make_mut(execution).token = Some(token.clone());
            }
        }
    }

    /// The executions whose requests are all for one service, by the first part of their
    /// paths.
    pub fn of_service(&self, collection: &str) -> Vec<usize> {
        let is_below = |request: &Request| {
            let below = request.path.start().strip_prefix(collection);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        };
        let all = self.executions.iter().enumerate();
        let own = all.filter(|(_, execution)| execution.scenario.requests.iter().all(is_below));
        own.map(|(number, _)| number).collect()
    }

    /// How long it lasts at most; `None` where iterations decide.
    pub fn lasts(&self) -> Option<Duration> {
        let ends = self.executions.iter().map(|it| Some(it.delay + it.lasts()?));
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

impl Override {
    fn apply(&self, root: &mut Value) -> Result<(), String> {
        let mut at = root;
        for part in &self.path {
            at = match at {
                Value::Sequence(items) => {
                    let number = part.parse::<usize>().ok();
                    number.and_then(|number| items.get_mut(number))
                }
                Value::Mapping(mapping) => {
                    Some(mapping.entry(part.as_str().into()).or_insert(Value::Null))
                }
                Value::Null => {
                    *at = Value::Mapping(serde_yaml::Mapping::new());
                    at.as_mapping_mut()
                        .map(|mapping| mapping.entry(part.as_str().into()).or_insert(Value::Null))
                }
                _ => None,
            }
            .ok_or_else(|| format!("-o {}: there is no `{part}`", self.path.join(".")))?;
        }
        at.clone_from(&self.value);
        Ok(())
    }
}

impl std::str::FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = text
            .split_once('=')
            .filter(|(path, _)| !path.is_empty())
            .ok_or_else(|| format!("`{text}` must be like execution.0.hold-for=5s"))?;
        let value = serde_yaml::from_str(value).map_err(|error| format!("`{value}`: {error}"))?;
        Ok(Self { path: path.split('.').map(str::to_owned).collect(), value })
    }
}

impl std::error::Error for ScriptErrors {}

impl fmt::Display for ScriptErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        yaml::list(f, &self.name, &self.problems)
    }
}

#[cfg(test)]
mod tests;
