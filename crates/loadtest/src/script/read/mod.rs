//! Reads a script: what each key means, and whether its value is valid. Executions are read here,
//! scenarios in [`scenario`], their requests in [`request`], the keys of both in [`common`], and what
//! is extracted from and asserted about responses in [`check`].

mod check;
mod common;
mod request;
mod scenario;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_yaml::Value;
use support::yaml::{Problems, Section, kind};

use super::criteria::Criterion;
use super::files::Files;
use super::template::Template;
use super::{Execution, Script, duration};
use scenario::Scenarios;

/// Keys that Taurus knows and this program does not support.
const TOP: &[&str] =
    &["cli", "included-configs", "modules", "provisioning", "services", "settings"];
const EXECUTION: &[&str] = &["files", "locations"];

/// A criterion, and its key path in the script.
#[derive(Debug, Clone)]
struct LocatedCriterion {
    path: Vec<String>,
    criterion: Criterion,
}

/// Reads the whole script.
pub(super) fn script(root: &Value, files: &Files, problems: &Problems) -> Option<Script> {
    let mut top = Section::new(root, Vec::new(), problems);
    let scenarios = top.required("scenarios", |top| top.section("scenarios"));
    let scenarios = scenarios.map(|section| scenario::all(section, files)).unwrap_or_default();
    let items = top.required("execution", |top| top.list("execution")).unwrap_or_default();
    let mut criteria = Vec::new();
    let mut executions = Vec::new();
    for (number, (path, value)) in items.into_iter().enumerate() {
        let section = Section::new(value, path, problems);
        let (execution, own) = execution(section, &scenarios);
        let scenario = execution.as_ref().and_then(|it| scenarios.get(&it.scenario.name));
        let inherited = scenario.map(|scenario| scenario.criteria.clone()).unwrap_or_default();
        criteria.extend(own.into_iter().chain(inherited).map(|it| it.of_execution(number)));
        executions.push(execution.map(Arc::new));
    }
    let reports = top.list("reporting").unwrap_or_default().into_iter();
    criteria
        .extend(reports.flat_map(|(path, value)| reporting(Section::new(value, path, problems))));
    top.unsupported(TOP);
    top.finish();
    let executions: Vec<_> = executions.into_iter().collect::<Option<_>>()?;
    for located in &criteria {
        check_label(located, &executions, problems);
    }
    let criteria = criteria.into_iter().map(|located| located.criterion).collect();
    Some(Script { executions, criteria, source: root.clone() })
}

fn execution(
    mut section: Section<'_>,
    scenarios: &Scenarios,
) -> (Option<Execution>, Vec<LocatedCriterion>) {
    let scenario = section.required("scenario", |section| section.text("scenario"));
    let scenario = scenario.and_then(|name| {
        let found = scenarios.get(name);
        if found.is_none() {
            section.problem("scenario", format!("there is no scenario `{name}`"));
        }
        found?.scenario.clone()
    });
    let users = section.whole("concurrency", 1..=100_000);
    let throughput = section.number("throughput").filter(|rate| *rate > 0.0);
    let ramp_up = duration(&mut section, "ramp-up");
    let steps = section.whole("steps", 1..=100_000);
    let hold_for = duration(&mut section, "hold-for");
    let iterations = section.whole("iterations", 1..=u32::MAX);
    let delay = duration(&mut section, "delay");
    let criteria = criteria(&mut section);
    // Other executors read scripts differently.
    if section.text("executor").is_some_and(|executor| executor != "jmeter") {
        section.problem("executor", "only `jmeter` is supported");
    }
    section.unsupported(EXECUTION);
    if section.is_mapping() && hold_for.is_none() && ramp_up.is_none() && iterations.is_none() {
        section.own_problem("never ends: set `hold-for`, `ramp-up` or `iterations`");
    }
    section.finish();
    let execution = scenario.map(|scenario| Execution {
        scenario,
        endpoint: None,
        token: None,
        users: users.unwrap_or(1),
        throughput,
        rate: None,
        ramp_up: ramp_up.unwrap_or_default(),
        steps,
        hold_for,
        iterations,
        delay: delay.unwrap_or_default(),
    });
    (execution, criteria)
}

/// Reads the criteria of a reporting module.
fn reporting(mut section: Section<'_>) -> Vec<LocatedCriterion> {
    let module = section.required("module", |section| section.text("module"));
    if module.is_some_and(|module| module != "passfail") {
        section.problem("module", "only `passfail` is supported; leave the others out");
    }
    let criteria = criteria(&mut section);
    section.finish();
    criteria
}

/// Reads a list of criteria, or a mapping of messages to criteria.
fn criteria(section: &mut Section<'_>) -> Vec<LocatedCriterion> {
    let items: Vec<_> = if section.peek("criteria").is_some_and(Value::is_mapping) {
        let mut named = section.section("criteria").expect("it is a mapping");
        let entries = named.entries().into_iter();
        entries.map(|(name, value)| (named.path_of(&name), Some(name), value)).collect()
    } else {
        let items = section.list("criteria").unwrap_or_default().into_iter();
        items.map(|(path, value)| (path, None, value)).collect()
    };
    let problems = section.problems();
    let read = items.into_iter().filter_map(|(path, message, value)| {
        let Some(text) = value.as_str() else {
            problems.add(&path, format!("must be a string, not {}", kind(value)));
            return None;
        };
        let criterion = Criterion::parse(text).map_err(|error| problems.add(&path, error)).ok()?;
        let message = message.or(criterion.message);
        Some(LocatedCriterion { path, criterion: Criterion { message, ..criterion } })
    });
    read.collect()
}

impl LocatedCriterion {
    /// Makes it a criterion about one execution.
    fn of_execution(mut self, number: usize) -> Self {
        self.criterion.execution = Some(number);
        self
    }
}

/// A criterion about a label that no request has would never fail.
fn check_label(located: &LocatedCriterion, executions: &[Arc<Execution>], problems: &Problems) {
    let LocatedCriterion { path, criterion } = located;
    let Some(label) = &criterion.label else { return };
    let all = executions.iter().enumerate();
    let own = all.filter(|(number, _)| criterion.execution.is_none_or(|own| own == *number));
    let mut requests = own.flat_map(|(_, execution)| &execution.scenario.requests);
    if !requests.any(|request| request.label == *label) {
        problems.add(path, format!("there is no request with the label `{label}`"));
    }
}

/// A value that may be a string alone, which is short for a mapping of `key` to it.
fn expanded<'a>(value: &'a Value, key: &str) -> Cow<'a, Value> {
    if value.is_string() {
        Cow::Owned(serde_yaml::Mapping::from_iter([(key.into(), value.clone())]).into())
    } else {
        Cow::Borrowed(value)
    }
}

fn template(section: &mut Section<'_>, key: &'static str) -> Option<Template> {
    let text = section.text(key)?;
    parse_template(section, key, text)
}

fn parse_template(section: &Section<'_>, key: &str, text: &str) -> Option<Template> {
    let template = Template::new(text).map_err(|function| {
        section.problem(key, format!("calls {function}: functions are not supported"));
    });
    template.ok()
}

/// Reads a duration: a number of seconds, or like `1m30s`.
fn duration(section: &mut Section<'_>, key: &'static str) -> Option<Duration> {
    let read = duration::of_value(section.take(key)?);
    if read.is_none() {
        section.problem(key, duration::EXPECTED);
    }
    read
}
