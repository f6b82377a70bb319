//! Formats the progress of an execution while it runs.

use std::time::Duration;

use support::wait::in_words;

use super::results::Second;
use super::script::Execution;
use super::stats::{RequestStats, ScenarioStats};

/// The first line: `7 users for 35 s`.
pub(super) fn opening(execution: &Execution) -> String {
    let users = execution.users;
    let rate = execution.rate.map(|rate| format!(", {rate} requests/s due")).unwrap_or_default();
    let duration = execution.max_duration().map(|duration| format!(" for {}", in_words(duration)));
    format!("{users} users{rate}{}", duration.unwrap_or_default())
}

/// The last second, and how many requests have failed so far. What matters most comes first:
/// a narrow terminal cuts off the rest.
pub(super) fn line(
    execution: &Execution,
    second: &Second,
    failed: u64,
    elapsed: Duration,
) -> String {
    let rate = second.rate();
    let cap = second.cap.map(|cap| format!(" of {cap:.0}")).unwrap_or_default();
    let bar = execution.max_duration().map(|duration| format!("  {}", bar(elapsed, duration)));
    format!(
        "{} users  {rate:.0}{cap}/s  p50 {:.2} p90 {:.2} p99 {:.2} ms  {failed} errors{}",
        second.users,
        second.p50_ms,
        second.p90_ms,
        second.p99_ms,
        bar.unwrap_or_default()
    )
}

/// The last line: `3000 requests, 2 of them failed`.
pub(super) fn closing(stats: &ScenarioStats) -> String {
    let requests = stats.sum().as_ref().map_or(0, |sum: &RequestStats| sum.count);
    match stats.failed() {
        0 => format!("{requests} requests"),
        failed => format!("{requests} requests, {failed} of them failed"),
    }
}

/// How much of the time has passed: `[######--------------]`.
fn bar(elapsed: Duration, duration: Duration) -> String {
    const WIDTH: u128 = 20;
    let filled = (elapsed.as_millis() * WIDTH / duration.as_millis().max(1)).min(WIDTH);
    format!("[{:-<20}]", "#".repeat(usize::try_from(filled).unwrap_or_default()))
}
