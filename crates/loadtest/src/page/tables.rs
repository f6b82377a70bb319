//! The rows of the page's tables, and the cards above them.

use indicatif::HumanBytes;

use super::axis::{number, time};
use super::name;
use crate::results::{ExecutionResult, LabelResult, Machine, Results, Times, as_f64};

/// A figure at the top of the page.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) class: &'static str,
}

/// The table with one row for each method and label.
#[derive(Debug)]
pub(super) struct Labels<'a> {
    pub(super) rows: Vec<LabelRow<'a>>,
}

#[derive(Debug)]
pub(super) struct LabelRow<'a> {
    pub(super) scenario: String,
    pub(super) label: &'a LabelResult,
}

/// The figures of the whole load test, and the throughput of each execution.
pub(super) fn cards(results: &Results) -> Vec<Card> {
    let sum = |of: fn(&ExecutionResult) -> u64| results.executions.iter().map(of).sum::<u64>();
    let (requests, errors) = (sum(|it| it.requests), sum(|it| it.errors));
    let mut cards = vec![
        Card::new("requests", number(as_f64(requests)), ""),
        Card::new("errors", number(as_f64(errors)), class(errors == 0)),
    ];
    if !results.criteria.is_empty() {
        let passed = results.passed();
        let value = if passed { "passed" } else { "failed" };
        cards.push(Card::new("criteria", value.into(), class(passed)));
    }
    cards.push(Card::new("received", HumanBytes(sum(|it| it.bytes)).to_string(), ""));
    cards.extend(results.executions.iter().map(|execution| {
        let label = format!("requests/s, {}", name(results, execution));
        Card::new(&label, number(execution.throughput().round()), "")
    }));
    cards
}

impl Card {
    fn new(label: &str, value: String, class: &'static str) -> Self {
        Self { label: label.into(), value, class }
    }
}

fn class(is_good: bool) -> &'static str {
    if is_good { "good" } else { "bad" }
}

impl<'a> Labels<'a> {
    pub(super) fn new(results: &'a Results) -> Self {
        let rows = results.executions.iter().flat_map(|execution| {
            let scenario = name(results, execution);
            let labels = execution.labels.iter();
            labels.map(move |label| LabelRow { scenario: scenario.clone(), label })
        });
        Self { rows: rows.collect() }
    }

    pub(super) fn has_service_times(&self) -> bool {
        self.rows.iter().any(|row| row.label.service.is_some())
    }

    pub(super) fn has_problems(&self) -> bool {
        self.rows.iter().any(|row| !row.label.problems.is_empty())
    }
}

impl LabelRow<'_> {
    pub(super) fn requests(&self) -> String {
        number(as_f64(self.label.requests))
    }

    pub(super) fn errors(&self) -> String {
        number(as_f64(self.label.errors))
    }

    pub(super) fn class(&self) -> &'static str {
        class(self.label.errors == 0)
    }

    pub(super) fn times(&self) -> [String; 7] {
        let Times { average_ms, p50_ms, p90_ms, p95_ms, p99_ms, p99_9_ms, max_ms } =
            self.label.response;
        [average_ms, p50_ms, p90_ms, p95_ms, p99_ms, p99_9_ms, max_ms].map(time)
    }

    /// Empty in a closed loop.
    pub(super) fn service_times(&self) -> [String; 3] {
        let times = self.label.service.map(|it| [it.p50_ms, it.p99_ms, it.max_ms].map(time));
        times.unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> String {
        number(as_f64(self.label.bytes))
    }
}

impl Machine {
    pub(super) fn memory_text(&self) -> String {
        format!("{:.1} GiB", as_f64(self.memory) / f64::from(1 << 30))
    }
}
