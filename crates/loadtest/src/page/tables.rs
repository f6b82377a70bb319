//! Renders the page's tables.

use indicatif::HumanBytes;

use super::axis::{number, time};
use super::{escaped, name};
use crate::outcome::{ExecutionOutcome, LabelOutcome, Outcome, Times, Verdict, as_f64};

/// The figures that come first.
pub(super) fn summary(outcome: &Outcome) -> String {
    let all = &outcome.executions;
    let sum = |of: fn(&ExecutionOutcome) -> u64| all.iter().map(of).sum::<u64>();
    let (requests, errors) = (sum(|it| it.requests), sum(|it| it.errors));
    let mut cards = vec![
        card("requests", &number(as_f64(requests)), ""),
        card("errors", &number(as_f64(errors)), if errors == 0 { "good" } else { "bad" }),
    ];
    if !outcome.criteria.is_empty() {
        let (text, class) = if outcome.passed() { ("passed", "good") } else { ("failed", "bad") };
        cards.push(card("criteria", text, class));
    }
    cards.push(card("received", &HumanBytes(sum(|it| it.bytes)).to_string(), ""));
    for execution in all {
        let rate = execution.hold_per_second.unwrap_or(execution.overall_per_second);
        let label = format!("requests/s, {}", name(outcome, execution));
        cards.push(card(&label, &number(rate.round()), ""));
    }
    format!("<div class=\"cards\">{}</div>", cards.concat())
}

fn card(label: &str, value: &str, class: &str) -> String {
    format!("<div class=\"card\"><b class=\"{class}\">{value}</b>{}</div>", escaped(label))
}

/// One row for each method and label.
pub(super) fn labels(outcome: &Outcome) -> String {
    let mut heads = vec![
        Head::text("scenario"),
        Head::text("method"),
        Head::text("label"),
        Head::number("requests"),
        Head::number("errors"),
    ];
    heads.extend(["average", "p50", "p90", "p95", "p99", "p99.9", "max"].map(Head::number));
    heads.extend(["service p50", "service p99", "service max"].map(Head::number));
    heads.extend([Head::number("bytes"), Head::text("problems")]);
    let rows = outcome.executions.iter().flat_map(|execution| {
        let name = name(outcome, execution);
        execution.labels.iter().map(move |label| label_row(&name, label))
    });
    table(&heads, rows)
}

fn label_row(scenario: &str, label: &LabelOutcome) -> Vec<Field> {
    let Times { average_ms, p50_ms, p90_ms, p95_ms, p99_ms, p99_9_ms, max_ms } = label.response;
    let mut row =
        vec![Field::text(scenario), Field::text(&label.method), Field::text(&label.label)];
    row.push(Field::number(number(as_f64(label.requests))));
    let class = if label.errors == 0 { "good" } else { "bad" };
    row.push(Field { text: number(as_f64(label.errors)), class });
    let times = [average_ms, p50_ms, p90_ms, p95_ms, p99_ms, p99_9_ms, max_ms];
    row.extend(times.map(|ms| Field::number(time(ms))));
    let service = label.service.map(|it| [it.p50_ms, it.p99_ms, it.max_ms].map(time));
    row.extend(service.unwrap_or_default().map(Field::number));
    row.push(Field::number(number(as_f64(label.bytes))));
    row.push(Field { text: label.problems_in_words(), class: "text wrap" });
    row
}

/// What came of the criteria, if there are any.
pub(super) fn criteria(outcome: &Outcome) -> String {
    if outcome.criteria.is_empty() {
        return String::new();
    }
    let heads = ["scenario", "criterion", "value", "result"].map(Head::text);
    let row = |verdict: &Verdict| {
        let class = if verdict.failed { "text bad" } else { "text good" };
        vec![
            Field::text(verdict.scenario.as_deref().unwrap_or("all")),
            Field::text(&verdict.criterion),
            Field::text(verdict.value.as_deref().unwrap_or_default()),
            Field { text: verdict.in_words(), class },
        ]
    };
    let table = table(&heads, outcome.criteria.iter().map(row));
    format!("<h2>Criteria</h2>\n<div class=\"scroll\">\n{table}\n</div>")
}

/// The machines that the load came from.
pub(super) fn machines(outcome: &Outcome) -> String {
    let heads = [
        Head::text("machine"),
        Head::text("processor"),
        Head::number("processors"),
        Head::number("memory"),
        Head::text("kernel"),
    ];
    let rows = outcome.machines.iter().map(|machine| {
        vec![
            Field::text(&machine.name),
            Field::text(&machine.processor),
            Field::number(machine.processors.to_string()),
            Field::number(format!("{:.1} GiB", as_f64(machine.memory) / f64::from(1 << 30))),
            Field::text(&machine.kernel),
        ]
    });
    table(&heads, rows)
}

struct Head {
    text: &'static str,
    class: &'static str,
}

struct Field {
    text: String,
    class: &'static str,
}

impl Head {
    fn text(text: &'static str) -> Self {
        Self { text, class: "text" }
    }

    fn number(text: &'static str) -> Self {
        Self { text, class: "" }
    }
}

impl Field {
    fn text(text: &str) -> Self {
        Self { text: text.into(), class: "text" }
    }

    fn number(text: String) -> Self {
        Self { text, class: "" }
    }
}

/// A table without the columns in which nothing stands.
fn table(heads: &[Head], rows: impl Iterator<Item = Vec<Field>>) -> String {
    let rows: Vec<_> = rows.collect();
    let is_used = |n: &usize| rows.iter().any(|row| !row[*n].text.is_empty());
    let used: Vec<_> = (0..heads.len()).filter(is_used).collect();
    let line = |cells: String| format!("<tr>{cells}</tr>\n");
    let head = used.iter().map(|n| &heads[*n]);
    let head = head.map(|Head { text, class }| format!("<th class=\"{class}\">{text}</th>"));
    let rows = rows.iter().map(|row| {
        let cells = used.iter().map(|n| &row[*n]);
        let cell =
            |Field { text, class }: &Field| format!("<td class=\"{class}\">{}</td>", escaped(text));
        line(cells.map(cell).collect())
    });
    format!(
        "<table><thead>{}</thead><tbody>\n{}</tbody></table>",
        line(head.collect()),
        rows.collect::<String>()
    )
}
