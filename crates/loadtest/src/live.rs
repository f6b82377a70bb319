//! Formats what is shown about an execution while it runs.

use std::time::Duration;

use support::wait::in_words;

use super::outcome::Second;
use super::script::Execution;
use super::stats::{Measured, Stats};

/// What it begins with: `7 users for 35 s`.
pub(super) fn opening(execution: &Execution) -> String {
    let users = execution.users;
    let rate = execution.rate.map(|rate| format!(", {rate} requests/s due")).unwrap_or_default();
    let lasts = execution.lasts().map(|lasts| format!(" for {}", in_words(lasts)));
    format!("{users} users{rate}{}", lasts.unwrap_or_default())
}

/// How the last second was, and how many requests have failed so far. What matters most
/// comes first: a narrow terminal cuts the rest off.
pub(super) fn line(execution: &Execution, second: &Second, failed: u64, ran: Duration) -> String {
    let rate = second.rate();
    let cap = second.cap.map(|cap| format!(" of {cap:.0}")).unwrap_or_default();
    let bar = execution.lasts().map(|lasts| format!("  {}", bar(ran, lasts))).unwrap_or_default();
    format!(
        "{} users  {rate:.0}{cap}/s  p50 {:.2} p90 {:.2} p99 {:.2} ms  {failed} errors{bar}",
        second.users, second.p50_ms, second.p90_ms, second.p99_ms
    )
}

/// What it came to.
pub(super) fn closing(stats: &Stats) -> String {
    let all = Measured::sum(&stats.0).unwrap_or_else(|| Measured::new(false));
    match all.failed() {
        0 => format!("{} requests", all.count),
        failed => format!("{} requests, {failed} of them failed", all.count),
    }
}

/// How much of the time has gone by: `[######--------------]`.
fn bar(ran: Duration, lasts: Duration) -> String {
    const WIDTH: u128 = 20;
    let filled = (ran.as_millis() * WIDTH / lasts.as_millis().max(1)).min(WIDTH);
    format!("[{:-<20}]", "#".repeat(usize::try_from(filled).unwrap_or_default()))
}
