//! Parses durations as Taurus writes them: a number of seconds, or like `1m30s`.

use std::time::Duration;

use serde_yaml::Value;
use support::wait::parse;

/// The error if a value is not a duration.
pub(super) const EXPECTED: &str = "must be a time, like 30s, 1m30s or 500ms";

/// Parses a value of the script.
pub(super) fn of_value(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(number) => {
            number.as_f64().and_then(|it| Duration::try_from_secs_f64(it).ok())
        }
        Value::String(text) => parse(text),
        _ => None,
    }
}
