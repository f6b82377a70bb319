//! This module owns when a request may be sent: all users of an execution together keep
//! to its throughput.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::script::Execution;

/// What may be caught up with after a pause: a sleep ends up to a millisecond late, and
/// without this the throughput would stay below its bound. More would be a burst.
const CATCH_UP: Duration = Duration::from_millis(10);

/// Hands out times at which requests may be sent.
#[derive(Debug)]
pub(super) struct Pace {
    throughput: f64,
    ramp_up: Duration,
    steps: Option<u32>,
    next: Mutex<Duration>,
}

impl Pace {
    /// The pace of an execution, if it has a bound.
    pub(super) fn of(execution: &Execution) -> Option<Self> {
        Some(Self {
            throughput: execution.throughput?,
            ramp_up: execution.ramp_up,
            steps: execution.steps,
            next: Mutex::new(Duration::ZERO),
        })
    }

    /// The time, since the execution began, at which a request may be sent that could be
    /// sent `now`.
    pub(super) fn claim(&self, now: Duration) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (*next).max(now.saturating_sub(CATCH_UP));
        *next = at + Duration::from_secs_f64(1.0 / self.rate(at));
        at
    }

    /// Requests a second at a time: it rises with the users.
    fn rate(&self, at: Duration) -> f64 {
        let share = match self.steps {
            _ if at >= self.ramp_up => 1.0,
            Some(steps) => {
                let step = self.ramp_up / steps;
                let number = at.as_nanos() / step.as_nanos().max(1) + 1;
                f64::from(u32::try_from(number).unwrap_or(steps).min(steps)) / f64::from(steps)
            }
            None => at.as_secs_f64() / self.ramp_up.as_secs_f64(),
        };
        // It begins with one a second, as Taurus's does.
        (self.throughput * share).max(self.throughput.min(1.0))
    }
}

/// When a user starts, of `users` that start evenly or in steps.
pub(super) fn start_of(user: u32, execution: &Execution) -> Duration {
    let (users, ramp_up) = (execution.users, execution.ramp_up);
    match execution.steps {
        // The first step's users are there from the beginning.
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

    fn pace(throughput: f64, ramp_up: u64, steps: Option<u32>) -> Pace {
        let (ramp_up, next) = (Duration::from_secs(ramp_up), Mutex::default());
        Pace { throughput, ramp_up, steps, next }
    }

    /// Requests that users who are always ready may send within some seconds.
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
    fn the_throughput_is_kept_to() {
        assert_eq!(sent(&pace(1000.0, 0, None), 10), 10_000);
        // Fifths of it for a second each: 200, 400, …, 1,000.
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
}
