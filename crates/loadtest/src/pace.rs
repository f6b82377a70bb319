//! Decides when requests are sent. In a closed loop, all virtual users of an execution together
//! stay below its throughput. In an open loop, they share its requests as these become due,
//! whether or not a user is free.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::script::Execution;

/// How much of a pause is caught up with: a sleep ends up to a millisecond late, and without
/// this the throughput would stay below its bound. More would be a burst.
const CATCH_UP: Duration = Duration::from_millis(10);

/// Hands out the times at which requests may be sent, counted from the execution's beginning.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    ramp_up: Duration,
    steps: Option<u32>,
    next: Mutex<Duration>,
}

/// When a request of an open loop is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Duration,
    /// Earlier requests that have timed out unsent.
    pub(super) dropped: u64,
}

impl Pace {
    /// The pace of an execution: its rate in an open loop, and its throughput, if it is bounded,
    /// in a closed loop.
    pub(super) fn of(execution: &Execution) -> Option<Self> {
        Some(Self {
            per_second: execution.rate.or(execution.throughput)?,
            ramp_up: execution.ramp_up,
            steps: execution.steps,
            next: Mutex::default(),
        })
    }

    /// In a closed loop, when a request may be sent that is ready `now`.
    pub(super) fn claim(&self, now: Duration) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (*next).max(now.saturating_sub(CATCH_UP));
        *next = self.after(at);
        at
    }

    /// In an open loop, when the next request is due. Requests that were due more than
    /// `timeout` ago are dropped.
    pub(super) fn next_due(&self, now: Duration, timeout: Duration) -> Due {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = 0;
        while *next + timeout < now {
            *next = self.after(*next);
            dropped += 1;
        }
        let at = *next;
        *next = self.after(at);
        Due { at, dropped }
    }

    /// In an open loop, how many requests were due before `end` and not claimed. Each is
    /// counted once.
    pub(super) fn unclaimed(&self, end: Duration) -> u64 {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = 0;
        while *next < end {
            *next = self.after(*next);
            count += 1;
        }
        count
    }

    fn after(&self, at: Duration) -> Duration {
        at + Duration::from_secs_f64(1.0 / self.per_second(at))
    }

    /// Requests a second at a time; rises during the ramp-up.
    pub(super) fn per_second(&self, at: Duration) -> f64 {
        let share = match self.steps {
            _ if at >= self.ramp_up => 1.0,
            Some(steps) => {
                let step = self.ramp_up / steps;
                let number = at.as_nanos() / step.as_nanos().max(1) + 1;
                f64::from(u32::try_from(number).unwrap_or(steps).min(steps)) / f64::from(steps)
            }
            None => at.as_secs_f64() / self.ramp_up.as_secs_f64(),
        };
        // Taurus begins with one request a second, too.
        (self.per_second * share).max(self.per_second.min(1.0))
    }
}

/// When a user starts, after the execution's beginning: users start evenly or in steps.
pub(super) fn start_of(user: u32, execution: &Execution) -> Duration {
    let (users, ramp_up) = (execution.users, execution.ramp_up);
    // In an open loop the rate rises, not the number of users.
    if execution.rate.is_some() {
        return Duration::ZERO;
    }
    match execution.steps {
        // Users of the first step start at the beginning.
        Some(steps) => {
            let before = u64::from(user) * u64::from(steps) / u64::from(users);
            ramp_up.mul_f64(f64::from(u32::try_from(before).unwrap_or(steps)) / f64::from(steps))
        }
        None => ramp_up * user / users,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(per_second: f64, ramp_up: u64, steps: Option<u32>) -> Pace {
        let (ramp_up, next) = (Duration::from_secs(ramp_up), Mutex::default());
        Pace { per_second, ramp_up, steps, next }
    }

    /// How many requests users that are always ready may send within some seconds.
    fn sent(pace: &Pace, seconds: u64) -> usize {
        let end = Duration::from_secs(seconds);
        let mut now = Duration::ZERO;
        std::iter::from_fn(|| {
            now = now.max(pace.claim(now));
            (now < end).then_some(())
        })
        .count()
    }

    #[test]
    fn the_throughput_is_reached_and_not_exceeded() {
        assert_eq!(sent(&pace(1000.0, 0, None), 10), 10_000);
        // One second at each step: 200, 400, …, 1,000.
        assert!(sent(&pace(1000.0, 5, Some(5)), 5).abs_diff(3000) <= 5);
        assert!(sent(&pace(1000.0, 10, None), 10).abs_diff(5000) <= 50);
    }

    #[test]
    fn a_pause_is_not_caught_up_with_by_a_burst() {
        let pace = pace(1000.0, 0, None);
        let later = Duration::from_secs(60);
        let at_once = (0..100).take_while(|_| pace.claim(later) <= later).count();
        assert!(at_once <= 11, "{at_once}");
    }

    #[test]
    fn an_open_loop_counts_every_request() {
        let pace = pace(100.0, 0, None);
        let at = |millis| Duration::from_millis(millis);
        assert_eq!(pace.next_due(at(0), at(100)), Due { at: at(0), dropped: 0 });
        assert_eq!(pace.next_due(at(500), at(1000)), Due { at: at(10), dropped: 0 });
        // Those from 20 to 890 ms are dropped.
        assert_eq!(pace.next_due(at(1000), at(100)), Due { at: at(900), dropped: 88 });
        assert_eq!(pace.unclaimed(at(1000)), 9);
        assert_eq!(pace.unclaimed(at(1000)), 0);
    }
}
