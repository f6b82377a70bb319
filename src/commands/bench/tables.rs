//! Formats the results of a load test as tables.

use loadtest::results::{CriterionResult, ExecutionResult, LabelResult, Results, Times};
use serde::Serialize;

use crate::report::{Cell, Table};

/// A row for an execution.
#[derive(Debug, Serialize)]
pub(super) struct ExecutionRow<'a> {
    /// Where its requests were sent from, if not all were sent from one place.
    from: Option<&'a str>,
    execution: &'a ExecutionResult,
}

/// A row for a label.
#[derive(Debug, Serialize)]
pub(super) struct LabelRow<'a> {
    from: Option<&'a str>,
    label: &'a LabelResult,
}

pub(super) fn executions(results: &Results) -> Vec<ExecutionRow<'_>> {
    let from = results.has_hosts();
    let rows = results.executions.iter();
    rows.map(|it| ExecutionRow { from: from.then_some(it.from.as_str()), execution: it }).collect()
}

pub(super) fn labels(results: &Results) -> Vec<LabelRow<'_>> {
    let from = results.has_hosts();
    let labels = results.executions.iter().flat_map(|execution| {
        let from = from.then_some(execution.from.as_str());
        execution.labels.iter().map(move |label| LabelRow { from, label })
    });
    labels.collect()
}

impl Table for ExecutionRow<'_> {
    const HEADINGS: &'static [&'static str] = &[
        "FROM",
        "SCENARIO",
        "URL",
        "USERS",
        "CAP/S",
        "DUE/S",
        "REQUESTS",
        "ERRORS",
        "LATE",
        "DROPPED",
        "OVERALL/S",
        "HOLD/S",
        "BYTES",
    ];

    fn cells(&self) -> Vec<Cell> {
        let rate = |rate: f64| format!("{rate:.0}");
        let it = self.execution;
        vec![
            Cell::text(self.from),
            Cell::text(Some(&it.scenario)),
            Cell::text(Some(&it.url)),
            Cell::text(Some(it.users)),
            Cell::text(it.cap.map(rate)),
            Cell::text(it.rate.map(rate)),
            Cell::text(Some(it.requests)),
            Cell::verdict(&it.errors.to_string(), it.errors == 0),
            Cell::text(it.late),
            Cell::text(it.dropped),
            Cell::text(Some(rate(it.overall_per_second))),
            Cell::text(it.hold_per_second.map(rate)),
            Cell::text(Some(it.bytes)),
        ]
    }
}

impl Table for LabelRow<'_> {
    const HEADINGS: &'static [&'static str] = &[
        "FROM",
        "METHOD",
        "LABEL",
        "REQUESTS",
        "ERRORS",
        "AVERAGE",
        "P50",
        "P90",
        "P95",
        "P99",
        "P99.9",
        "MAX",
        "SERVICE P50",
        "SERVICE P99",
        "SERVICE MAX",
        "BYTES",
        "PROBLEM",
    ];

    fn cells(&self) -> Vec<Cell> {
        let ms = |ms: f64| Cell::text(Some(format!("{ms:.2} ms")));
        let label = self.label;
        let service = |of: fn(&Times) -> f64| {
            Cell::text(label.service.as_ref().map(|times| format!("{:.2} ms", of(times))))
        };
        let times = &label.response;
        vec![
            Cell::text(self.from),
            Cell::text(Some(&label.method)),
            Cell::text(Some(&label.label)),
            Cell::text(Some(label.requests)),
            Cell::verdict(&label.errors.to_string(), label.errors == 0),
            ms(times.average_ms),
            ms(times.p50_ms),
            ms(times.p90_ms),
            ms(times.p95_ms),
            ms(times.p99_ms),
            ms(times.p99_9_ms),
            ms(times.max_ms),
            service(|times| times.p50_ms),
            service(|times| times.p99_ms),
            service(|times| times.max_ms),
            Cell::text(Some(label.bytes)),
            Cell::text(Some(label.problem_list()).filter(|text| !text.is_empty())),
        ]
    }
}

impl Table for CriterionResult {
    const HEADINGS: &'static [&'static str] = &["FROM", "SCENARIO", "CRITERION", "VALUE", "RESULT"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(self.from.as_ref()),
            Cell::text(self.scenario.as_ref()),
            Cell::text(Some(&self.criterion)),
            Cell::text(self.value.as_ref()),
            Cell::verdict(&self.summary(), !self.failed),
        ]
    }
}
