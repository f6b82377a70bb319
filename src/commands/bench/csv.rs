//! Formats results as comma-separated values.

use loadtest::results::{Results, Times};

const HEADINGS: &str = "from,scenario,method,label,requests,errors,bytes,average_ms,p50_ms,p90_ms,\
    p95_ms,p99_ms,p99_9_ms,max_ms,service_p50_ms,service_p99_ms,service_max_ms\n";

/// The labels as comma-separated values (RFC 4180).
pub(super) fn render(results: &Results) -> String {
    let mut text = HEADINGS.to_owned();
    for execution in &results.executions {
        for label in &execution.labels {
            let Times { average_ms, p50_ms, p90_ms, p95_ms, p99_ms, p99_9_ms, max_ms } =
                label.response;
            let mut fields: Vec<_> =
                [&execution.from, &execution.scenario, &label.method, &label.label]
                    .map(|text| quoted(text))
                    .into();
            let counts = [label.requests, label.errors, label.bytes];
            fields.extend(counts.map(|count| count.to_string()));
            let times = [average_ms, p50_ms, p90_ms, p95_ms, p99_ms, p99_9_ms, max_ms];
            fields.extend(times.map(|ms| format!("{ms:.3}")));
            let service = label.service.map(|it| [it.p50_ms, it.p99_ms, it.max_ms]);
            fields.extend(
                service.map_or_else(Default::default, |times| times.map(|ms| format!("{ms:.3}"))),
            );
            text.push_str(&fields.join(","));
            text.push('\n');
        }
    }
    text
}

/// A field, quoted if it must be. Spreadsheets do not take it for a formula.
fn quoted(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.into() };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_if_they_must_be() {
        assert_eq!(quoted("GET /events/{id}"), "GET /events/{id}");
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
