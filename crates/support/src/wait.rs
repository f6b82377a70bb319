//! Waiting, and durations in words. Every wait has a deadline, and the pause between two
//! attempts grows, so that a quick result is seen quickly and a slow one costs little.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The point in time at which waiting ends.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// A deadline `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self { start: Instant::now(), limit }
    }

    /// How long is left; zero once it has passed.
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }

    /// Whether it has passed.
    pub fn has_passed(&self) -> bool {
        self.left().is_zero()
    }

    /// The whole wait that it allows.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

/// Pauses that begin at `first` and grow by half up to `most`.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    /// Pauses from `first` to `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, most }
    }

    /// Sleeps for the next pause, or until the deadline where that is sooner.
    pub async fn pause(&mut self, deadline: Deadline) {
        tokio::time::sleep(self.next.min(deadline.left())).await;
        self.next = (self.next + self.next / 2).min(self.most);
    }
}

/// Seconds since 1970.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A duration as people say it: `0.4 s`, `12 s`, `3 m 20 s`, `5 h 2 m`, `3 d 4 h`.
pub fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 if duration.subsec_nanos() == 0 => format!("{seconds} s"),
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} m {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// Reads a time as Taurus and people write it: a number of seconds, or like `1m30s`.
pub fn parse(text: &str) -> Option<Duration> {
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_humane() {
        for (millis, text) in [
            (7_000, "7 s"),
            (440, "0.4 s"),
            (59_400, "59.4 s"),
            (200_000, "3 m 20 s"),
            (18_120_000, "5 h 2 m"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(in_words(Duration::from_millis(millis)), text);
        }
    }
}
