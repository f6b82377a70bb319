//! This module owns times as Taurus writes them: a number of seconds, or like `1m30s`.

use std::time::Duration;

use serde_yaml::Value;

/// What a time must look like.
pub(super) const FORM: &str = "must be a time, like 30s, 1m30s or 500ms";

/// Reads a value of the script as a time.
pub(super) fn of_value(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(number) => number.as_f64().and_then(seconds),
        Value::String(text) => of_text(text),
        _ => None,
    }
}

/// Reads a text as a time.
pub(super) fn of_text(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if let Ok(number) = rest.parse() {
        return seconds(number);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let end = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let in_seconds = match &unit[..end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return None,
        };
        total = total.checked_add(seconds(number * in_seconds)?)?;
        rest = unit[end..].trim_start();
    }
    (!text.trim().is_empty()).then_some(total)
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}
