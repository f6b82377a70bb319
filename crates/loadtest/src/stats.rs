//! Collects measurements: a histogram for each request of a scenario, and failures by kind.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest time that is told apart, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;
/// Digits of a time that are kept.
const DIGITS: u8 = 3;

/// What was measured of each request of a scenario, by its number.
#[derive(Debug)]
pub(super) struct Stats(pub(super) Vec<Measured>);

/// What was measured of one request, or of several together.
#[derive(Debug)]
pub(super) struct Measured {
    /// Response times in microseconds, of those that were answered: in a closed loop
    /// from sending to the end of the answer, in an open one from when it was due.
    pub(super) time: Histogram<u64>,
    /// In an open loop, times from sending to the end of the answer.
    pub(super) service: Option<Histogram<u64>>,
    /// Requests sent.
    pub(super) count: u64,
    /// Bytes of bodies received.
    pub(super) bytes: u64,
    /// Answers by status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Failed requests by what went wrong.
    pub(super) errors: BTreeMap<String, u64>,
}

/// How one request went.
#[derive(Debug)]
pub(super) struct Sample {
    /// From sending it to the end of its answer.
    pub(super) service: Duration,
    /// From when it was due.
    pub(super) response: Duration,
    /// What was answered, if anything was.
    pub(super) answer: Option<Answered>,
    /// What went wrong.
    pub(super) error: Option<String>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) bytes: u64,
}

impl Stats {
    /// Of so many requests, in an open loop or a closed one.
    pub(super) fn new(requests: usize, open: bool) -> Self {
        Self((0..requests).map(|_| Measured::new(open)).collect())
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (own, others) in self.0.iter_mut().zip(&other.0) {
            own.add(others);
        }
    }

    /// Forgets everything, and keeps the room for more.
    pub(super) fn reset(&mut self) {
        self.0.iter_mut().for_each(Measured::reset);
    }
}

impl Measured {
    pub(super) fn new(open: bool) -> Self {
        Self {
            time: histogram(),
            service: open.then(histogram),
            count: 0,
            bytes: 0,
            statuses: BTreeMap::new(),
            errors: BTreeMap::new(),
        }
    }

    /// Of several requests together; `None` for none.
    pub(super) fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut all = all.into_iter();
        let mut sum = Self::new(false);
        let first = all.next()?;
        sum.service = first.service.as_ref().map(|_| histogram());
        sum.add(first);
        all.for_each(|other| sum.add(other));
        Some(sum)
    }

    pub(super) fn record(&mut self, sample: Sample) {
        self.count += 1;
        if let Some(Answered { status, bytes }) = sample.answer {
            note(&mut self.time, sample.response);
            if let Some(service) = &mut self.service {
                note(service, sample.service);
            }
            self.bytes += bytes;
            *self.statuses.entry(status).or_default() += 1;
        }
        if let Some(error) = sample.error {
            *self.errors.entry(error).or_default() += 1;
        }
    }

    /// Failed requests.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    fn add(&mut self, other: &Self) {
        self.time += &other.time;
        if let (Some(own), Some(others)) = (&mut self.service, &other.service) {
            *own += others;
        }
        self.count += other.count;
        self.bytes += other.bytes;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
    }

    fn reset(&mut self) {
        self.time.reset();
        if let Some(service) = &mut self.service {
            service.reset();
        }
        (self.count, self.bytes) = (0, 0);
        self.statuses.clear();
        self.errors.clear();
    }
}

/// One that begins small: a user's requests take a narrow range of times, and there are
/// many users.
fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_max(4095, DIGITS).expect("valid bounds");
    histogram.auto(true);
    histogram
}

/// At least a microsecond, since a histogram begins there, and at most the longest time.
fn note(histogram: &mut Histogram<u64>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST).clamp(1, LONGEST);
    histogram.record(micros).expect("it grows as far as the longest time");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(millis: u64, answer: Option<(u16, u64)>, error: Option<&str>) -> Sample {
        let time = Duration::from_millis(millis);
        Sample {
            service: time,
            response: time + Duration::from_millis(1),
            answer: answer.map(|(status, bytes)| Answered { status, bytes }),
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn what_was_measured_adds_up() {
        let (mut one, mut two) = (Stats::new(2, true), Stats::new(2, true));
        one.0[0].record(sample(5, Some((200, 10)), None));
        one.0[1].record(sample(7, Some((404, 3)), Some("status 404")));
        two.0[0].record(sample(9, None, Some("timed out")));
        two.0[1].record(sample(900_000, Some((200, 1)), None));
        one.add(&two);
        let first = &one.0[0];
        assert_eq!((first.count, first.bytes, first.failed()), (2, 10, 1));
        assert_eq!(first.time.len(), 1, "a request without an answer has no time");
        let service = first.service.as_ref().unwrap();
        assert_eq!((first.time.max() / 100, service.max() / 100), (60, 50));
        let sum = Measured::sum(&one.0).unwrap();
        assert_eq!((sum.count, sum.statuses[&200], sum.errors["status 404"]), (4, 2, 1));
        // Beyond the longest time, it is the longest.
        assert!(sum.time.max() >= LONGEST);
        one.reset();
        assert_eq!((one.0[1].count, one.0[1].time.len(), one.0[1].failed()), (0, 0, 0));
    }
}
