//! Waiting, and durations in words. Every wait has a deadline, and the pause between two
//! attempts grows, so that a quick result is seen quickly and a slow one costs little.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::{debug, info};

use crate::event::Reporter;

/// The time at which a wait ends.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    start: Instant,
    timeout: Duration,
}

impl Deadline {
    /// A deadline `timeout` from now.
    pub fn after(timeout: Duration) -> Self {
        Self { start: Instant::now(), timeout }
    }

    /// How long is left; zero once it has passed.
    pub fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.start.elapsed())
    }

    /// Whether it has passed.
    pub fn has_passed(&self) -> bool {
        self.left().is_zero()
    }

    /// How long the wait may take in all.
    pub fn timeout(&self) -> Duration {
        self.timeout
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

    /// Sleeps for the next pause, or until the deadline if that is sooner.
    pub async fn pause(&mut self, deadline: Deadline) {
        tokio::time::sleep(self.next.min(deadline.left())).await;
        self.next = (self.next + self.next / 2).min(self.most);
    }
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<E> {
    /// A later attempt may succeed; the text says what this one met.
    Transient(String),
    /// No later attempt can succeed.
    Permanent(E),
}

/// Attempts something until it succeeds, fails permanently, or the deadline has passed, which
/// returns the failure of the last attempt. `what` completes "waiting for …". What each attempt
/// met is reported, so that a display can say why it takes so long.
pub async fn retry<T, E>(
    what: &str,
    deadline: Deadline,
    mut backoff: Backoff,
    reporter: Reporter<'_>,
    mut attempt: impl AsyncFnMut() -> Result<T, Failure<E>>,
) -> Result<T, Failure<E>> {
    let mut last = String::new();
    loop {
        let reason = match attempt().await {
            Err(Failure::Transient(reason)) if !deadline.has_passed() => reason,
            ended => return ended,
        };
        // An attempt every 50 ms would fill a log with one and the same reason.
        if reason == last {
            debug!("waiting for {what}: {reason}");
        } else {
            info!("waiting for {what}: {reason}");
        }
        reporter.detail(format!("waiting for {what}: {reason}"));
        last = reason;
        backoff.pause(deadline).await;
    }
}

/// Seconds since 1970.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A duration for people to read: `0.4 s`, `12 s`, `3 m 20 s`, `5 h 2 m`, `3 d 4 h`.
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
    use std::sync::Mutex;

    use super::*;
    use crate::event::{Event, EventSink, Kind};

    /// The details that attempts report.
    #[derive(Default)]
    struct Details(Mutex<Vec<String>>);

    impl EventSink for Details {
        fn emit(&self, event: Event) {
            let Kind::Detail(text) = event.kind else { panic!("{event:?}") };
            self.0.lock().unwrap().push(text);
        }
    }

    /// Runs attempts with these results, for some milliseconds at most.
    fn attempts(
        results: Vec<Result<u8, Failure<&'static str>>>,
        millis: u64,
    ) -> (Result<u8, Failure<&'static str>>, Vec<String>) {
        let details = Details::default();
        let mut results = results.into_iter();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let ended = runtime.block_on(retry(
            "SSH",
            Deadline::after(Duration::from_millis(millis)),
            Backoff::new(Duration::from_millis(5), Duration::from_millis(5)),
            Reporter::new(&details, "events"),
            async || results.next().unwrap_or(Err(Failure::Transient("no answer".into()))),
        ));
        (ended, details.0.into_inner().unwrap())
    }

    #[test]
    fn attempts_end_with_success_or_a_permanent_failure() {
        let refused = || Err(Failure::Transient("refused".into()));
        let (ended, details) = attempts(vec![refused(), refused(), Ok(7)], 60_000);
        assert_eq!(ended, Ok(7));
        assert_eq!(details, ["waiting for SSH: refused"; 2]);
        let (ended, details) = attempts(vec![Err(Failure::Permanent("another host"))], 60_000);
        assert_eq!((ended, details.len()), (Err(Failure::Permanent("another host")), 0));
    }

    #[test]
    fn after_the_deadline_the_last_failure_is_returned() {
        let (ended, details) = attempts(vec![Err(Failure::Transient("refused".into()))], 30);
        assert_eq!(ended, Err(Failure::Transient("no answer".into())));
        assert_eq!(details[0], "waiting for SSH: refused");
        assert!(details.len() > 1 && details[1] == "waiting for SSH: no answer", "{details:?}");
    }

    #[test]
    fn durations_are_in_words() {
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
