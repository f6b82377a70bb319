//! Renders the result as a page: one HTML file that needs nothing else, with charts that are
//! readable in light and dark mode.
//!
//! ```text
//! axis    where a value lies, and which values are labelled
//! chart   a chart as SVG
//! charts  which charts there are
//! tables  the tables
//! ```

mod axis;
mod chart;
mod charts;
mod tables;

use super::outcome::{ExecutionOutcome, Outcome};
use axis::number;

const TEMPLATE: &str = include_str!("../../../../templates/report.html");

/// Renders the page.
pub fn render(outcome: &Outcome) -> String {
    let scenarios = outcome.executions.iter().enumerate().map(|(number, execution)| {
        let heading = escaped(&name(outcome, execution));
        let line = escaped(&described(execution));
        let charts = charts::of_execution(outcome, number);
        format!(
            "<h2>{heading}</h2>\n<p class=\"soft\">{line}</p>\n<div class=\"charts\">\n{charts}</div>\n"
        )
    });
    fill(&[
        ("title", escaped(&title(outcome))),
        ("started", escaped(&outcome.started)),
        ("command", escaped(&outcome.command)),
        ("summary", tables::summary(outcome)),
        ("overview", charts::overview(outcome)),
        ("scenarios", scenarios.collect()),
        ("labels", tables::labels(outcome)),
        ("criteria", tables::criteria(outcome)),
        ("machines", tables::machines(outcome)),
    ])
}

/// Puts values into the template. A value that looks like a place for one stays as it is.
fn fill(values: &[(&str, String)]) -> String {
    let mut page = String::new();
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let (key, after) = after.split_once("}}").unwrap_or((after, ""));
        if let Some((_, value)) = values.iter().find(|(name, _)| *name == key) {
            page.push_str(value);
        }
        rest = after;
    }
    page + rest
}

fn title(outcome: &Outcome) -> String {
    let requests: u64 = outcome.executions.iter().map(|execution| execution.requests).sum();
    format!("Load test: {} requests", number(super::outcome::as_f64(requests)))
}

/// An execution's name, which says where it came from where not all came from one place.
fn name(outcome: &Outcome, execution: &ExecutionOutcome) -> String {
    if outcome.comes_from_elsewhere() {
        format!("{} from {}", execution.scenario, execution.from)
    } else {
        execution.scenario.clone()
    }
}

fn described(execution: &ExecutionOutcome) -> String {
    let bound = match (execution.rate, execution.cap) {
        (Some(rate), _) => format!(", {} requests/s due", number(rate)),
        (None, Some(cap)) => format!(", at most {} requests/s", number(cap)),
        (None, None) => String::new(),
    };
    let missed = match (execution.late, execution.dropped) {
        (Some(late), Some(dropped)) => format!(", {late} sent late, {dropped} dropped"),
        _ => String::new(),
    };
    let began = match execution.delay {
        delay if delay > 0.0 => format!(", from {delay:.0} s on"),
        _ => String::new(),
    };
    format!(
        "{}: {} users{bound}; {} requests in {:.1} s{began}{missed}",
        execution.url,
        execution.users,
        number(super::outcome::as_f64(execution.requests)),
        execution.seconds
    )
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_stays_text() {
        let mut outcome = Outcome::empty();
        outcome.command = "eventpost bench '<script>{{labels}}'".into();
        let page = render(&outcome);
        assert!(page.contains("eventpost bench &#39;&lt;script&gt;{{labels}}&#39;"), "{page}");
        assert!(!page.contains("<script"));
    }
}
