//! Parses pass/fail criteria, in the words of [Taurus](https://gettaurus.org/docs/PassFail/):
//! `[MESSAGE: ]SUBJECT[ of LABEL]CONDITION THRESHOLD[ for|over|within TIME][, ACTION]`, as in
//! `p99 of GET /events>50ms for 10s, continue as failed`.

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use support::wait::parse;

/// The parts of a criterion, in Taurus's grammar.
static GRAMMAR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?<subject>[\w?*.-]+)(?:\s*of\s+(?<label>.+?))?\s*(?<condition>[<>=]+)\s*(?<threshold>[^\s,]+)(?:\s+(?<logic>for|over|within)\s+(?<time>[^\s,]+))?$",
    )
    .expect("a valid expression")
});

/// A condition under which a load test has failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    /// Its text in the script.
    pub text: String,
    /// What is shown instead of the text.
    pub message: Option<String>,
    /// The number of the execution that it is about; all of them without.
    pub execution: Option<usize>,
    /// The label that it is about; all of them without.
    pub label: Option<String>,
    pub(crate) subject: Metric,
    pub(crate) condition: Condition,
    /// In the subject's unit: milliseconds, bytes, percent, or a count.
    pub(crate) threshold: f64,
    /// The seconds that it is about; the whole run without.
    pub(crate) window: Option<Window>,
    /// Whether the load test stops when it is met.
    pub(crate) stops: bool,
    /// Whether the load test has failed when it is met.
    pub(crate) fails: bool,
}

/// What is compared with the threshold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Metric {
    Average,
    Deviation,
    Percentile(f64),
    Users,
    Requests,
    Bytes,
    /// A number or share of requests.
    Count {
        of: Selection,
        percent: bool,
    },
}

/// Which requests are counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Selection {
    Succeeded,
    Failed,
    /// Those whose status matches a pattern, where `?` is any digit and `*` any digits.
    Status(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

/// Seconds that are compared together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) logic: Logic,
    pub(crate) time: Duration,
}

/// How the seconds of a window are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logic {
    /// Each second must meet the condition.
    For,
    /// All seconds together must, once the window is full.
    Over,
    /// All seconds together must, even before the window is full.
    Within,
}

impl Criterion {
    /// Its text, with its message.
    pub(super) fn with_message(&self) -> String {
        match &self.message {
            Some(message) if !self.text.contains(':') => {
                format!("{}: {}", message.replace(':', " "), self.text)
            }
            _ => self.text.clone(),
        }
    }

    /// Parses a criterion; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (message, rest) = match text.split_once(':') {
            Some((message, rest)) => (Some(message.trim().to_owned()), rest),
            None => (None, text),
        };
        let (rest, action) = match rest.split_once(',') {
            Some((rest, action)) => (rest, action.trim()),
            None => (rest, "stop as failed"),
        };
        let (stops, fails) = self::action(action)?;
        let parts = GRAMMAR.captures(rest.trim()).ok_or_else(|| {
            format!("`{text}` must be like `p99 of LABEL>50ms for 10s, continue as failed`")
        })?;
        let part = |name| parts.name(name).map(|part| part.as_str());
        let threshold = part("threshold").unwrap_or_default();
        let subject = subject(part("subject").unwrap_or_default(), threshold.ends_with('%'))?;
        let logic = match part("logic") {
            Some("over") => Logic::Over,
            Some("within") => Logic::Within,
            _ => Logic::For,
        };
        let window = part("time").map(|time| {
            let time = parse(time).filter(|time| !time.is_zero());
            time.map(|time| Window { logic, time }).ok_or("its time must be like 10s or 1m")
        });
        Ok(Self {
            text: text.into(),
            message,
            execution: None,
            label: part("label").map(str::to_owned),
            threshold: self::threshold(&subject, threshold)?,
            subject,
            condition: condition(part("condition").unwrap_or_default())?,
            window: window.transpose()?,
            stops,
            fails,
        })
    }
}

fn action(text: &str) -> Result<(bool, bool), String> {
    match text {
        "stop" | "stop as failed" => Ok((true, true)),
        "stop as non-failed" => Ok((true, false)),
        "continue" | "continue as failed" => Ok((false, true)),
        "continue as non-failed" => Ok((false, false)),
        other => Err(format!(
            "its action must be `stop` or `continue`, then `as failed` or `as non-failed`, not \
             `{other}`"
        )),
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    match text {
        "<" => Ok(Condition::Less),
        "<=" => Ok(Condition::AtMost),
        "=" | "==" => Ok(Condition::Equal),
        ">=" => Ok(Condition::AtLeast),
        ">" => Ok(Condition::More),
        other => Err(format!("its condition must be <, <=, =, >= or >, not {other}")),
    }
}

fn subject(name: &str, percent: bool) -> Result<Metric, String> {
    let measure = match name {
        "avg-rt" => Metric::Average,
        "stdev-rt" => Metric::Deviation,
        "hits" => Metric::Requests,
        "bytes" => Metric::Bytes,
        "avg-lt" | "avg-ct" => return Err(format!("`{name}` is not supported")),
        name if name.starts_with("concurr") => Metric::Users,
        name if name.starts_with("succ") => Metric::Count { of: Selection::Succeeded, percent },
        name if name.starts_with("fail") => Metric::Count { of: Selection::Failed, percent },
        name => {
            if let Some(status) = name.strip_prefix("rc") {
                Metric::Count { of: Selection::Status(status.into()), percent }
            } else {
                let percentile = name.strip_prefix('p').and_then(|text| text.parse().ok());
                let percentile = percentile.filter(|level| (0.0..=100.0).contains(level));
                Metric::Percentile(percentile.ok_or_else(|| {
                    format!(
                        "its subject must be avg-rt, stdev-rt, a percentile like p50, hits, succ, \
                         fail, a status like rc200 or rc5??, bytes or concurrency, not `{name}`"
                    )
                })?)
            }
        }
    };
    match measure {
        Metric::Count { .. } => Ok(measure),
        _ if percent => Err(format!("`{name}` cannot be a percentage")),
        _ => Ok(measure),
    }
}

fn threshold(subject: &Metric, text: &str) -> Result<f64, String> {
    let (read, form) = match subject {
        Metric::Average | Metric::Deviation | Metric::Percentile(_) => {
            let time = parse(text);
            (time.map(|time| time.as_secs_f64() * 1000.0), "a time, like 50ms")
        }
        Metric::Bytes => (bytes(text), "a number of bytes, like 10kb"),
        Metric::Users | Metric::Requests => (text.parse().ok(), "a number"),
        Metric::Count { .. } => {
            (text.trim_end_matches('%').parse().ok(), "a number or a percentage, like 1%")
        }
    };
    read.ok_or_else(|| format!("its threshold must be {form}, not `{text}`"))
}

fn bytes(text: &str) -> Option<f64> {
    let lower = text.to_lowercase();
    let number = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &lower[number.len()..] {
        "" | "b" => 1.0,
        "k" | "kb" => 1024.0,
        "m" | "mb" => 1024.0 * 1024.0,
        "g" | "gb" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria_mean_what_they_mean_in_taurus() {
        let read = |text| Criterion::parse(text).unwrap();
        let simple = read("avg-rt>150ms");
        assert_eq!((simple.subject, simple.threshold), (Metric::Average, 150.0));
        assert_eq!((simple.label, simple.window), (None, None));
        assert!(simple.stops && simple.fails);
        let long =
            read("too slow: p99.9 of GET /events/{id} >= 1.5s over 1m30s, continue as non-failed");
        assert_eq!(long.message.as_deref(), Some("too slow"));
        assert_eq!(long.label.as_deref(), Some("GET /events/{id}"));
        assert_eq!((long.subject, long.condition), (Metric::Percentile(99.9), Condition::AtLeast));
        let window = Window { logic: Logic::Over, time: Duration::from_secs(90) };
        assert_eq!((long.threshold, long.window), (1500.0, Some(window)));
        assert!(!long.stops && !long.fails);
        let status = Metric::Count { of: Selection::Status("4??".into()), percent: true };
        assert_eq!(read("rc4??>5% within 10s, stop as failed").subject, status);
        assert!((read("bytes<2kb").threshold - 2048.0).abs() < 1e-9);
        assert_eq!(
            read("failures>0").subject,
            Metric::Count { of: Selection::Failed, percent: false }
        );
    }

    #[test]
    fn an_error_says_what_is_wrong_with_a_criterion() {
        for (text, why) in [
            ("slow", "must be like"),
            ("avg-rt>soon", "its threshold must be a time"),
            ("avg-rt>5%", "cannot be a percentage"),
            ("avg-lt>5ms", "`avg-lt` is not supported"),
            ("p101>5ms", "its subject must be"),
            ("hits=>5", "its condition must be"),
            ("hits>5 for ever", "its time must be"),
            ("hits>5, go on", "its action must be"),
        ] {
            let error = Criterion::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
