//! Compares results with earlier ones.

use std::fs;
use std::path::Path;

use loadtest::results::{ExecutionResult, LabelResult, Results};
use serde::Serialize;

use crate::error::Error;
use crate::report::{Cell, Table};

/// A value before and now: the throughput of an execution, or a time of a label.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    from: String,
    scenario: String,
    /// The method and label; the whole execution without.
    label: Option<String>,
    /// Which value.
    what: &'static str,
    before: f64,
    now: f64,
    /// The difference in percent of the value before.
    percent: Option<f64>,
    #[serde(skip)]
    better: Better,
}

/// Which values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Higher,
    Lower,
}

/// Smaller changes, in percent, are not marked: two runs of the same program differ as much.
const NOISE: f64 = 5.0;

/// Reads earlier results.
pub(super) fn read(file: &Path) -> Result<Results, Error> {
    let invalid = |cause: String| {
        Error::Request(format!(
            "--baseline {}: {cause}; name a file with the output of `eventpost bench --output json`",
            file.display()
        ))
    };
    let text = fs::read(file).map_err(|error| invalid(format!("cannot be read: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| invalid(format!("is not a result: {error}")))
}

/// Compares the executions and labels that are in both results.
pub(super) fn compare(before: &Results, now: &Results) -> Vec<Comparison> {
    let executions = now.executions.iter().filter_map(|execution| {
        let is_same =
            |it: &&ExecutionResult| it.from == execution.from && it.scenario == execution.scenario;
        Some(compare_execution(before.executions.iter().find(is_same)?, execution))
    });
    executions.flatten().collect()
}

fn compare_execution(before: &ExecutionResult, now: &ExecutionResult) -> Vec<Comparison> {
    let comparison = |label: Option<String>, what, before: f64, after: f64, better| Comparison {
        from: now.from.clone(),
        scenario: now.scenario.clone(),
        label,
        what,
        before,
        now: after,
        percent: (before > 0.0).then(|| (after / before - 1.0) * 100.0),
        better,
    };
    let rates = (before.throughput(), now.throughput());
    let mut rows = vec![comparison(None, "requests/s", rates.0, rates.1, Better::Higher)];
    for label in &now.labels {
        let is_same = |it: &&LabelResult| it.method == label.method && it.label == label.label;
        let Some(earlier) = before.labels.iter().find(is_same) else { continue };
        let times = [
            ("p50 ms", earlier.response.p50_ms, label.response.p50_ms),
            ("p99 ms", earlier.response.p99_ms, label.response.p99_ms),
        ];
        for (what, before, after) in times {
            rows.push(comparison(Some(label.title()), what, before, after, Better::Lower));
        }
    }
    rows
}

impl Comparison {
    fn is_worse(&self) -> bool {
        self.percent.is_some_and(|percent| match self.better {
            Better::Higher => percent < -NOISE,
            Better::Lower => percent > NOISE,
        })
    }
}

impl Table for Comparison {
    const HEADINGS: &'static [&'static str] =
        &["FROM", "SCENARIO", "LABEL", "WHAT", "BEFORE", "NOW", "CHANGE"];

    fn cells(&self) -> Vec<Cell> {
        let number = |number: f64| {
            let digits = if self.better == Better::Higher { 0 } else { 2 };
            Cell::text(Some(format!("{number:.digits$}")))
        };
        let change = self.percent.map_or_else(|| "-".into(), |percent| format!("{percent:+.1}%"));
        vec![
            Cell::text(Some(&self.from)),
            Cell::text(Some(&self.scenario)),
            Cell::text(self.label.as_ref()),
            Cell::text(Some(self.what)),
            number(self.before),
            number(self.now),
            Cell::verdict(&change, !self.is_worse()),
        ]
    }
}
