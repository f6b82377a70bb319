//! This module owns what was measured: a histogram for each label, errors by kind, and
//! requests by second.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest time that is told apart, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// What one or several users of a scenario measured.
#[derive(Debug)]
pub struct Stats {
    /// By the number of the request in the scenario.
    pub requests: Vec<LabelStats>,
    /// Requests that ended in each second since the execution began.
    pub seconds: Vec<u32>,
}

/// What was measured under one label.
#[derive(Debug)]
pub struct LabelStats {
    /// Time from sending a request to the end of its answer, in microseconds, of those
    /// that were answered.
    pub time: Histogram<u64>,
    /// Requests sent.
    pub count: u64,
    /// Failed requests by what went wrong.
    pub errors: BTreeMap<String, u64>,
    /// Bytes of bodies received.
    pub bytes: u64,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// With an answer of so many bytes.
    Answered(u64),
    /// With an answer that says no.
    Refused(u16, u64),
    /// Without one.
    Failed(String),
}

impl LabelStats {
    fn new() -> Self {
        let time = Histogram::new_with_bounds(1, LONGEST, 3).expect("valid bounds");
        Self { time, count: 0, errors: BTreeMap::new(), bytes: 0 }
    }

    /// Failed requests.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Adds what another measured under the same label.
    pub(crate) fn add(&mut self, other: &Self) {
        self.time.add(&other.time).expect("the same bounds");
        self.count += other.count;
        self.bytes += other.bytes;
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
    }
}

impl Default for LabelStats {
    fn default() -> Self {
        Self::new()
    }
}

impl Stats {
    pub(super) fn new(requests: usize) -> Self {
        let requests = (0..requests).map(|_| LabelStats::new()).collect();
        Self { requests, seconds: Vec::new() }
    }

    /// Notes a request that ended `at` so long after the execution began.
    pub(super) fn record(
        &mut self,
        request: usize,
        at: Duration,
        time: Duration,
        outcome: Outcome,
    ) {
        let second = usize::try_from(at.as_secs()).expect("no load lasts that long");
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, 0);
        }
        self.seconds[second] += 1;
        let own = &mut self.requests[request];
        own.count += 1;
        let error = match outcome {
            Outcome::Answered(bytes) => {
                own.bytes += bytes;
                None
            }
            Outcome::Refused(status, bytes) => {
                own.bytes += bytes;
                Some(format!("status {status}"))
            }
            Outcome::Failed(error) => {
                *own.errors.entry(error).or_default() += 1;
                return;
            }
        };
        let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST);
        own.time.saturating_record(micros.max(1));
        if let Some(error) = error {
            *own.errors.entry(error).or_default() += 1;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (own, others) in self.requests.iter_mut().zip(&other.requests) {
            own.add(others);
        }
        if self.seconds.len() < other.seconds.len() {
            self.seconds.resize(other.seconds.len(), 0);
        }
        for (own, others) in self.seconds.iter_mut().zip(&other.seconds) {
            *own += others;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_measured_adds_up() {
        let ms = Duration::from_millis;
        let (mut one, mut two) = (Stats::new(2), Stats::new(2));
        one.record(0, ms(100), ms(5), Outcome::Answered(10));
        one.record(1, ms(2100), ms(7), Outcome::Refused(404, 3));
        two.record(0, ms(900), ms(9), Outcome::Failed("timed out".into()));
        one.add(&two);
        assert_eq!(one.seconds, [2, 0, 1]);
        let first = &one.requests[0];
        assert_eq!((first.count, first.bytes, first.failed()), (2, 10, 1));
        assert_eq!(first.time.len(), 1, "a request without an answer has no time");
        assert_eq!(one.requests[1].errors["status 404"], 1);
        assert!(one.requests[1].time.max() >= 7000);
    }
}
