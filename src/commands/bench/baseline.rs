//! Compares a result with an earlier one.

use std::fs;
use std::path::Path;

use loadtest::outcome::{ExecutionOutcome, LabelOutcome, Outcome};
use serde::Serialize;

use crate::error::Error;
use crate::report::{Cell, Table};

/// How something changed: of an execution its throughput, of a label its times.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    from: String,
    scenario: String,
    /// The method and label; without, the execution as a whole.
    label: Option<String>,
    /// What changed.
    what: &'static str,
    before: f64,
    now: f64,
    /// The difference, in percent of what it was.
    percent: Option<f64>,
    #[serde(skip)]
    better: Better,
}

/// Which way a change is a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    More,
    Less,
}

/// Changes below this share, in percent, are nothing that a reader must be warned of: two
/// runs of the same program differ as much.
const NOISE: f64 = 5.0;

/// Reads an earlier result.
pub(super) fn read(file: &Path) -> Result<Outcome, Error> {
    let wrong = |cause: String| {
        Error::Request(format!(
            "--baseline {}: {cause}. It takes what `eventpost bench --output json` prints",
            file.display()
        ))
    };
    let text = fs::read(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| wrong(format!("is no result: {error}")))
}

/// What is in both results, and how it changed.
pub(super) fn changes(before: &Outcome, now: &Outcome) -> Vec<Change> {
    let same = |one: &ExecutionOutcome, other: &ExecutionOutcome| {
        one.from == other.from && one.scenario == other.scenario
    };
    let mut changes = Vec::new();
    for execution in &now.executions {
        let earlier = before.executions.iter().find(|earlier| same(earlier, execution));
        if let Some(earlier) = earlier {
            changes.extend(of_execution(earlier, execution));
        }
    }
    changes
}

fn of_execution(before: &ExecutionOutcome, now: &ExecutionOutcome) -> Vec<Change> {
    let throughput = |it: &ExecutionOutcome| it.hold_per_second.unwrap_or(it.overall_per_second);
    let row = |label: Option<String>, what, before: f64, after: f64, better| Change {
        from: now.from.clone(),
        scenario: now.scenario.clone(),
        label,
        what,
        before,
        now: after,
        percent: (before > 0.0).then(|| (after / before - 1.0) * 100.0),
        better,
    };
    let rates = (throughput(before), throughput(now));
    let mut rows = vec![row(None, "requests/s", rates.0, rates.1, Better::More)];
    for label in &now.labels {
        let same = |it: &&LabelOutcome| it.method == label.method && it.label == label.label;
        let Some(earlier) = before.labels.iter().find(same) else { continue };
        let times = [
            ("p50 ms", earlier.response.p50_ms, label.response.p50_ms),
            ("p99 ms", earlier.response.p99_ms, label.response.p99_ms),
        ];
        for (what, before, after) in times {
            rows.push(row(Some(label.title()), what, before, after, Better::Less));
        }
    }
    rows
}

impl Change {
    fn is_worse(&self) -> bool {
        self.percent.is_some_and(|percent| match self.better {
            Better::More => percent < -NOISE,
            Better::Less => percent > NOISE,
        })
    }
}

impl Table for Change {
    const HEADINGS: &'static [&'static str] =
        &["FROM", "SCENARIO", "LABEL", "WHAT", "BEFORE", "NOW", "CHANGE"];

    fn cells(&self) -> Vec<Cell> {
        let number = |number: f64| {
            let digits = if self.better == Better::More { 0 } else { 2 };
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
