//! Collects samples: a histogram for each request of a scenario, and errors by kind.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::script::{Execution, Request, Scenario};

/// The longest time that a histogram holds, in microseconds: ten minutes.
const MAX_TIME: u64 = 600_000_000;
/// Significant digits of times.
const DIGITS: u8 = 3;

/// The samples of each request of a scenario, in the scenario's order.
#[derive(Debug)]
pub(super) struct ScenarioStats(Vec<RequestStats>);

/// The samples of one request, or of several together.
#[derive(Debug)]
pub(super) struct RequestStats {
    /// Response times in microseconds, of requests that were answered: in a closed loop
    /// from sending to the end of the response, in an open loop from when it was due.
    pub(super) time: Histogram<u64>,
    /// In an open loop, times from sending to the end of the response.
    pub(super) service: Option<Histogram<u64>>,
    /// Requests sent.
    pub(super) count: u64,
    /// Bytes of bodies received.
    pub(super) bytes: u64,
    /// Responses by status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Failed requests by error.
    pub(super) errors: BTreeMap<String, u64>,
}

/// The measurement of one request.
#[derive(Debug)]
pub(super) struct Sample {
    /// From sending it to the end of the response.
    pub(super) service: Duration,
    /// From when it was due.
    pub(super) response: Duration,
    /// The response, if there was one.
    pub(super) answer: Option<ResponseInfo>,
    /// Why it failed.
    pub(super) error: Option<String>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ResponseInfo {
    pub(super) status: u16,
    pub(super) bytes: u64,
}

impl ScenarioStats {
    /// Of an execution's requests, without samples.
    pub(super) fn new(execution: &Execution) -> Self {
        let requests = &execution.scenario.requests;
        Self(requests.iter().map(|_| RequestStats::new(execution.rate.is_some())).collect())
    }

    /// Adds a sample of the request with a number.
    pub(super) fn record(&mut self, request: usize, sample: Sample) {
        self.0[request].record(sample);
    }

    /// Adds the samples of another of the same scenario.
    pub(super) fn add(&mut self, other: &Self) {
        for (own, others) in self.0.iter_mut().zip(&other.0) {
            own.add(others);
        }
    }

    /// Removes all samples, and keeps the memory for more.
    pub(super) fn reset(&mut self) {
        self.0.iter_mut().for_each(RequestStats::reset);
    }

    /// Each request with its samples.
    pub(super) fn of<'a>(
        &'a self,
        scenario: &'a Scenario,
    ) -> impl Iterator<Item = (&'a Request, &'a RequestStats)> {
        scenario.requests.iter().zip(&self.0)
    }

    /// All samples together; `None` if the scenario has no requests.
    pub(super) fn sum(&self) -> Option<RequestStats> {
        RequestStats::sum(&self.0)
    }

    /// How many requests have failed.
    pub(super) fn failed(&self) -> u64 {
        self.0.iter().map(RequestStats::failed).sum()
    }
}

impl RequestStats {
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

    /// The samples of several requests together; `None` if there is no request.
    pub(super) fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut all = all.into_iter();
        let mut sum = Self::new(false);
        let first = all.next()?;
        sum.service = first.service.as_ref().map(|_| histogram());
        sum.add(first);
        all.for_each(|other| sum.add(other));
        Some(sum)
    }

    fn record(&mut self, sample: Sample) {
        self.count += 1;
        if let Some(ResponseInfo { status, bytes }) = sample.answer {
            record(&mut self.time, sample.response);
            if let Some(service) = &mut self.service {
                record(service, sample.service);
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

/// A histogram that begins small and grows: most requests take a narrow range of times.
fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_max(4095, DIGITS).expect("valid bounds");
    histogram.auto(true);
    histogram
}

/// Records at least a microsecond, where histograms begin, and at most the longest time.
fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(MAX_TIME).clamp(1, MAX_TIME);
    histogram.record(micros).expect("the histogram grows up to the longest time");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(millis: u64, answer: Option<(u16, u64)>, error: Option<&str>) -> Sample {
        let time = Duration::from_millis(millis);
        Sample {
            service: time,
            response: time + Duration::from_millis(1),
            answer: answer.map(|(status, bytes)| ResponseInfo { status, bytes }),
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn samples_add_up() {
        let new = || ScenarioStats(vec![RequestStats::new(true), RequestStats::new(true)]);
        let (mut one, mut two) = (new(), new());
        one.record(0, sample(5, Some((200, 10)), None));
        one.record(1, sample(7, Some((404, 3)), Some("status 404")));
        two.record(0, sample(9, None, Some("timed out")));
        two.record(1, sample(900_000, Some((200, 1)), None));
        one.add(&two);
        let first = &one.0[0];
        assert_eq!((first.count, first.bytes, first.failed()), (2, 10, 1));
        assert_eq!(first.time.len(), 1, "a request without a response has no time");
        let service = first.service.as_ref().unwrap();
        assert_eq!((first.time.max() / 100, service.max() / 100), (60, 50));
        let sum = one.sum().unwrap();
        assert_eq!((sum.count, sum.statuses[&200], sum.errors["status 404"]), (4, 2, 1));
        assert!(sum.time.max() >= MAX_TIME, "longer times are capped");
        one.reset();
        assert_eq!((one.0[1].count, one.0[1].time.len(), one.0[1].failed()), (0, 0, 0));
    }
}
