//! Renders the results as a page: one HTML file that needs nothing else, with charts that are
//! readable in light and dark mode. The markup is in the crate's `templates/`, which escape
//! every text.
//!
//! ```text
//! axis    where a value lies, and which values are labelled
//! chart   a chart as SVG
//! charts  which charts there are
//! tables  the rows of the tables
//! ```

mod axis;
mod chart;
mod charts;
mod tables;

use askama::Template;

use super::results::{CriterionResult, ExecutionResult, Results, as_f64};
use axis::number;
use chart::Chart;
use tables::{Card, Labels};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    results: &'a Results,
    cards: Vec<Card>,
    overview: [Chart; 2],
    executions: Vec<ExecutionSection>,
    labels: Labels<'a>,
    criteria: &'a [CriterionResult],
}

/// What the page shows of one execution.
struct ExecutionSection {
    name: String,
    description: String,
    charts: Vec<Chart>,
}

/// Renders the page.
pub fn render(results: &Results) -> Result<String, askama::Error> {
    let executions = results.executions.iter().enumerate();
    let executions = executions.map(|(number, execution)| ExecutionSection {
        name: name(results, execution),
        description: description(execution),
        charts: charts::of_execution(execution, number),
    });
    let page = Page {
        results,
        cards: tables::cards(results),
        overview: charts::overview(results),
        executions: executions.collect(),
        labels: Labels::new(results),
        criteria: &results.criteria,
    };
    page.render()
}

impl Page<'_> {
    fn title(&self) -> String {
        let requests = self.results.executions.iter().map(|execution| execution.requests).sum();
        format!("Load test: {} requests", number(as_f64(requests)))
    }
}

/// An execution's scenario, and the place that its requests were sent from if there are several.
fn name(results: &Results, execution: &ExecutionResult) -> String {
    if results.has_hosts() {
        format!("{} from {}", execution.scenario, execution.from)
    } else {
        execution.scenario.clone()
    }
}

fn description(execution: &ExecutionResult) -> String {
    let bound = match (execution.rate, execution.cap) {
        (Some(rate), _) => format!(", {} requests/s due", number(rate)),
        (None, Some(cap)) => format!(", at most {} requests/s", number(cap)),
        (None, None) => String::new(),
    };
    let missed = match (execution.late, execution.dropped) {
        (Some(late), Some(dropped)) => format!(", {late} sent late, {dropped} dropped"),
        _ => String::new(),
    };
    let delay = match execution.delay {
        delay if delay > 0.0 => format!(" after a delay of {delay:.0} s"),
        _ => String::new(),
    };
    format!(
        "{}: {} users{bound}; {} requests in {:.1} s{delay}{missed}",
        execution.url,
        execution.users,
        number(as_f64(execution.requests)),
        execution.seconds
    )
}

#[cfg(test)]
mod tests;
