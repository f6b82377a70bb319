//! Load scripts in the syntax of [Taurus](https://gettaurus.org/docs/ExecutionSettings/): what
//! virtual users do, how many there are, and for how long. Whatever this program does not do as
//! Taurus does is refused by name, so that a script never means less than it says.

mod assert;
mod criteria;
mod duration;
mod extract;
mod files;
mod model;
mod overrides;
mod read;
mod response;
mod subset;
mod template;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_yaml::Value;
use support::http::Endpoint;
use support::token::Token;
use support::yaml::{self, LocatedProblem};

use files::Files;

pub use assert::Assertion;
pub use criteria::Criterion;
pub(super) use criteria::{Condition, Logic, Metric, Selection, Window};
pub use extract::Extractor;
pub(super) use extract::MatchCache;
pub use model::{Execution, Request, Scenario};
pub use overrides::Override;
pub(super) use response::ResponseParts;
pub use template::{Template, Variables};
pub(super) use template::{in_header, in_path};

/// The script that is read if none is named.
pub const FILE: &str = "performance_testing.yml";

/// The built-in script: the file of that name in this repository.
const DEFAULT: &str = include_str!("../../../../performance_testing.yml");

/// A whole script.
#[derive(Debug)]
pub struct Script {
    /// The executions, which run at the same time.
    pub executions: Vec<Arc<Execution>>,
    /// When the load test has failed.
    pub criteria: Vec<Criterion>,
    /// The script as YAML, with the command line's overrides.
    source: Value,
}

/// Everything that is wrong with a script.
#[derive(Debug)]
pub struct ScriptErrors {
    name: String,
    problems: Vec<LocatedProblem>,
}

/// Reads the file, or `performance_testing.yml` in the current folder, or else the built-in
/// script, and overrides some values.
pub fn load(file: Option<&Path>, overrides: &[Override]) -> Result<Script, ScriptErrors> {
    let file = file.or_else(|| Some(Path::new(FILE)).filter(|file| file.exists()));
    let Some(file) = file else {
        let files = Files::Folder("".into());
        return parse(DEFAULT, "the built-in script".into(), &files, overrides);
    };
    let name = file.display().to_string();
    match fs::read_to_string(file) {
        Ok(text) => parse(&text, name, &Files::beside(file), overrides),
        Err(error) => {
            let problems = vec![LocatedProblem::whole(format!("cannot be read: {error}"))];
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
            change.apply(&mut root).map_err(|message| vec![LocatedProblem::whole(message)])?;
        }
        yaml::read(text, &root, |root, problems| read::script(root, files, problems))
    });
    script.map_err(|problems| ScriptErrors { name, problems })
}

/// Reads a text as a script with the name `load.yml`, without files.
#[cfg(test)]
pub(super) fn read_text(text: &str) -> Result<Script, String> {
    let files = Files::Bundled(BTreeMap::new());
    parse(text, "load.yml".into(), &files, &[]).map_err(|errors| errors.to_string())
}

impl Script {
    /// Reads a script that comes with its files.
    pub(super) fn bundled(
        text: &str,
        files: BTreeMap<String, String>,
    ) -> Result<Self, ScriptErrors> {
        parse(text, "the load test's script".into(), &Files::Bundled(files), &[])
    }

    /// Makes open loops of all executions, or of those with a scenario. False if there is none.
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

    /// Sends the requests of scenarios that are for one service to an endpoint.
    pub fn send_to(&mut self, collection: &str, endpoint: &Endpoint) {
        for number in self.executions_of(collection) {
            Arc::make_mut(&mut self.executions[number]).endpoint = Some(endpoint.clone());
        }
    }

    /// Adds a token to requests that stay on this machine.
    pub fn authorize(&mut self, token: &Token) {
        for execution in &mut self.executions {
            if execution.endpoint().is_local() {
                Arc::make_mut(execution).token = Some(token.clone());
            }
        }
    }

    /// The numbers of the executions whose requests are all for one service, which the first
    /// part of their paths names.
    pub fn executions_of(&self, collection: &str) -> Vec<usize> {
        let is_own = |request: &Request| {
            let below = request.path.start().strip_prefix(collection);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        };
        let all = self.executions.iter().enumerate();
        let own = all.filter(|(_, execution)| execution.scenario.requests.iter().all(is_own));
        own.map(|(number, _)| number).collect()
    }

    /// How long it runs at most; `None` if executions end after their iterations.
    pub fn max_duration(&self) -> Option<Duration> {
        let ends = self.executions.iter().map(|it| Some(it.delay + it.max_duration()?));
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
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
