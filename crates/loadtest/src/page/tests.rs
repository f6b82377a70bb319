//! The page of a small load test.

use serde_json::json;

use super::*;
use crate::results::Machine;

/// Results of two seconds, with failures and text that must be escaped.
fn results() -> Results {
    let second = |at: f64, errors: u64| {
        json!({
            "at": at, "seconds": 1.0, "users": 2, "cap": 100.0, "requests": 80, "errors": errors,
            "p50_ms": 1.5, "p90_ms": 3.0, "p99_ms": 12.0,
        })
    };
    let label = json!({
        "method": "GET", "label": "<i>&\"'", "requests": 1600, "errors": 1, "bytes": 123_456,
        "average_ms": 1.2, "p50_ms": 1.0, "p90_ms": 3.0, "p95_ms": 4.0, "p99_ms": 12.0,
        "p99_9_ms": 15.0, "max_ms": 1500.0, "service": null,
        "problems": [{"what": "status 404", "count": 1}],
    });
    let execution = json!({
        "from": "laptop", "scenario": "read", "url": "http://127.0.0.1:8000", "users": 2,
        "cap": 100.0, "rate": null, "delay": 0.0, "seconds": 2.0, "requests": 1600, "errors": 1,
        "late": null, "dropped": null, "overall_per_second": 80.0, "hold_per_second": 80.0,
        "bytes": 123_456, "labels": [label], "timeline": [second(1.0, 0), second(2.0, 1)],
        "curve": [[0.0, 0.5], [50.0, 1.0], [90.0, 3.0], [100.0, 1500.0]],
    });
    let criterion = json!({
        "from": null, "criterion": "fail>0%", "scenario": null, "value": "0.06%", "met_at": 2.0,
        "failed": true,
    });
    let machine = Machine {
        name: "laptop".into(),
        processor: "Example".into(),
        processors: 2,
        memory: 8 << 30,
        kernel: "6.1".into(),
    };
    let results = json!({
        "command": "eventpost bench '<script>{{labels}}'", "started": "2026-01-01T00:00:00Z",
        "machines": [machine], "executions": [execution], "criteria": [criterion],
    });
    serde_json::from_value(results).unwrap()
}

/// The page's lines from one that contains `start` to one that contains `end`.
fn part(page: &str, start: &str, end: &str) -> String {
    let lines = page.lines().skip_while(|line| !line.contains(start));
    let mut is_last = false;
    let part = lines.take_while(|line| !std::mem::replace(&mut is_last, line.contains(end)));
    part.filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_tables_show_the_results() {
    let page = render(&results()).unwrap();
    insta::assert_snapshot!(part(&page, "class=\"cards\"", "class=\"cards\""));
    insta::assert_snapshot!("labels", part(&page, ">label<", "</table>"));
    insta::assert_snapshot!("criteria", part(&page, ">criterion<", "</table>"));
    insta::assert_snapshot!("machines", part(&page, ">machine<", "</table>"));
}

#[test]
fn a_chart_has_axes_lines_and_notes() {
    let results = results();
    let charts = charts::of_execution(&results.executions[0], 0);
    assert_eq!(charts.len(), 3);
    let chart = charts[0].render().unwrap();
    insta::assert_snapshot!(part(&chart, "<figure", "</figure"));
}

#[test]
fn service_times_are_shown_in_open_loops_only() {
    let mut results = results();
    assert!(!render(&results).unwrap().contains("service p50"));
    let label = &mut results.executions[0].labels[0];
    label.service = Some(label.response);
    assert!(render(&results).unwrap().contains("<th>service p50</th>"));
}

#[test]
fn text_is_escaped() {
    let page = render(&results()).unwrap();
    assert!(page.contains("bench &#39;&#60;script&#62;{{labels}}&#39;"), "{page}");
    assert!(page.contains("<td class=\"text\">&#60;i&#62;&#38;&#34;&#39;</td>"), "{page}");
    assert!(!page.contains("<script"));
}
