//! Parses pass/fail criteria, in the words of [Taurus](https://gettaurus.org/docs/PassFail/):
//! `[MESSAGE: ]SUBJECT[ of LABEL]CONDITION THRESHOLD[ for|over|within TIME][, ACTION]`, as in
//! `p99 of GET /events>50ms for 10s, continue as failed`.

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use support::wait::parse;

/// The parts of a criterion. Taurus reads it by the same grammar.
static FORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?<subject>[\w?*.-]+)(?:\s*of\s+(?<label>.+?))?\s*(?<condition>[<>=]+)\s*(?<threshold>[^\s,]+)(?:\s+(?<logic>for|over|within)\s+(?<time>[^\s,]+))?$",
    )
    .expect("a valid expression")
});

/// When a load has failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    /// As the script has it.
    pub text: String,
    /// What to say instead.
    pub message: Option<String>,
    /// The execution that it is about, by its number; without, all together.
    pub execution: Option<usize>,
    /// The label that it is about; without, all together.
    pub label: Option<String>,
    pub(crate) subject: Measure,
    pub(crate) condition: Condition,
    /// In milliseconds, bytes, percent or as a count, as the subject is.
    pub(crate) threshold: f64,
    /// Over what it is looked at; without, over the whole load.
    pub(crate) window: Option<Window>,
    pub(crate) stops: bool,
    pub(crate) fails: bool,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Measure {
    Average,
    Deviation,
    Percentile(f64),
    Users,
    Requests,
    Bytes,
    /// Requests that are chosen by how they went.
    Count {
        of: Chosen,
        percent: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Chosen {
    Succeeded,
    Failed,
    /// Those whose status fits, where `?` is one digit and `*` are any.
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

/// Seconds that are looked at together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) logic: Logic,
    pub(crate) time: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logic {
    /// Each of the seconds by itself.
    For,
    /// All of them together, once they have gone by.
    Over,
    /// All of them together, however few have gone by.
    Within,
}

impl Criterion {
    /// As a text that has its message, too.
    pub(super) fn spelled_out(&self) -> String {
        match &self.message {
            Some(message) if !self.text.contains(':') => {
                format!("{}: {}", message.replace(':', " "), self.text)
            }
            _ => self.text.clone(),
        }
    }

    /// Reads a criterion; `Err` says what is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let (message, rest) = match text.split_once(':') {
            Some((message, rest)) => (Some(message.trim().to_owned()), rest),
            None => (None, text),
        };
        let (rest, action) = match rest.split_once(',') {
            Some((rest, action)) => (rest, action.trim()),
            None => (rest, "stop as failed"),
        };
        let (stops, fails) = self::action(action)?;
        let parts = FORM.captures(rest.trim()).ok_or_else(|| {
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

fn subject(name: &str, percent: bool) -> Result<Measure, String> {
    let measure = match name {
        "avg-rt" => Measure::Average,
        "stdev-rt" => Measure::Deviation,
        "hits" => Measure::Requests,
        "bytes" => Measure::Bytes,
        "avg-lt" | "avg-ct" => return Err(format!("`{name}` is not supported")),
        name if name.starts_with("concurr") => Measure::Users,
        name if name.starts_with("succ") => Measure::Count { of: Chosen::Succeeded, percent },
        name if name.starts_with("fail") => Measure::Count { of: Chosen::Failed, percent },
        name => {
            if let Some(status) = name.strip_prefix("rc") {
                Measure::Count { of: Chosen::Status(status.into()), percent }
            } else {
                let percentile = name.strip_prefix('p').and_then(|text| text.parse().ok());
                let percentile = percentile.filter(|level| (0.0..=100.0).contains(level));
                Measure::Percentile(percentile.ok_or_else(|| {
                    format!(
                        "its subject must be avg-rt, stdev-rt, p50 and the like, hits, succ, fail, \
                         rc200 and the like, bytes or concurrency, not `{name}`"
                    )
                })?)
            }
        }
    };
    match measure {
        Measure::Count { .. } => Ok(measure),
        _ if percent => Err(format!("`{name}` cannot be a percentage")),
        _ => Ok(measure),
    }
}

fn threshold(subject: &Measure, text: &str) -> Result<f64, String> {
    let (read, form) = match subject {
        Measure::Average | Measure::Deviation | Measure::Percentile(_) => {
            let time = parse(text);
            (time.map(|time| time.as_secs_f64() * 1000.0), "a time, like 50ms")
        }
        Measure::Bytes => (bytes(text), "a number of bytes, like 10kb"),
        Measure::Users | Measure::Requests => (text.parse().ok(), "a number"),
        Measure::Count { .. } => {
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
    fn criteria_are_read_as_taurus_reads_them() {
        let read = |text| Criterion::new(text).unwrap();
        let simple = read("avg-rt>150ms");
        assert_eq!((simple.subject, simple.threshold), (Measure::Average, 150.0));
        assert_eq!((simple.label, simple.window), (None, None));
        assert!(simple.stops && simple.fails);
        let long =
            read("too slow: p99.9 of GET /events/{id} >= 1.5s over 1m30s, continue as non-failed");
        assert_eq!(long.message.as_deref(), Some("too slow"));
        assert_eq!(long.label.as_deref(), Some("GET /events/{id}"));
        assert_eq!((long.subject, long.condition), (Measure::Percentile(99.9), Condition::AtLeast));
        let window = Window { logic: Logic::Over, time: Duration::from_secs(90) };
        assert_eq!((long.threshold, long.window), (1500.0, Some(window)));
        assert!(!long.stops && !long.fails);
        let status = Measure::Count { of: Chosen::Status("4??".into()), percent: true };
        assert_eq!(read("rc4??>5% within 10s, stop as failed").subject, status);
        assert!((read("bytes<2kb").threshold - 2048.0).abs() < 1e-9);
        assert_eq!(
            read("failures>0").subject,
            Measure::Count { of: Chosen::Failed, percent: false }
        );
    }

    #[test]
    fn what_is_wrong_with_a_criterion_is_said() {
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
            let error = Criterion::new(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
