//! The state of a delivery, and the transition after each attempt, without side effects. Times
//! are in milliseconds since 1970.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Schedule, Tag};

/// How long after the first attempt a mail is retried.
const MAX_RETRY_TIME: Duration = Duration::from_secs(86_400);
const MAX_BACKOFF: Duration = Duration::from_secs(4 * 3600);

/// The name of a state, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateName {
    /// It will be sent when it is due.
    Scheduled,
    /// An attempt is in progress.
    Sending,
    /// The relay has accepted it.
    Sent,
    /// It was given up.
    Failed,
    /// It was due for too long when it was first seen.
    Expired,
}

impl StateName {
    /// All states, in their order.
    pub const ALL: [Self; 5] =
        [Self::Scheduled, Self::Sending, Self::Sent, Self::Failed, Self::Expired];

    /// The name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl FromStr for StateName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            format!("must be {}", names.join(", "))
        })
    }
}

/// The state of a delivery. Times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum DeliveryState {
    /// The mail will be sent when it is due; attempts may have failed.
    Scheduled {
        /// When the next attempt is due.
        due: u64,
        /// The failed attempts.
        #[serde(rename = "tried", default, skip_serializing_if = "Option::is_none")]
        failures: Option<FailedAttempts>,
    },
    /// An attempt is in progress. After a crash it is repeated.
    Sending {
        /// The failed attempts.
        #[serde(rename = "tried", default, skip_serializing_if = "Option::is_none")]
        failures: Option<FailedAttempts>,
    },
    /// The relay has accepted the mail.
    Sent {
        /// When.
        time: u64,
        /// The number of attempts.
        attempts: u32,
    },
    /// The mail was rejected, or retried for too long.
    Failed {
        /// When.
        time: u64,
        /// The number of attempts.
        attempts: u32,
        /// Why the last attempt failed.
        #[serde(rename = "why")]
        reason: String,
    },
    /// The notification had been due for too long when it was first seen.
    Expired {
        /// When it was first seen.
        time: u64,
    },
}

/// The attempts that have failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempts {
    /// When the first one was made.
    pub first: u64,
    /// How many there were.
    #[serde(rename = "attempts")]
    pub count: u32,
    /// Why the last one failed.
    #[serde(rename = "why")]
    pub reason: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The relay has accepted the mail.
    Accepted,
    /// It failed for this reason, and may succeed later.
    Retry(String),
    /// It failed for this reason, and always will.
    Rejected(String),
}

impl DeliveryState {
    /// The state of a notification that is first seen at `seen`.
    pub fn initial(due: u64, seen: u64, expiry: Duration) -> Self {
        if due.saturating_add(millis(expiry)) < seen {
            return Self::Expired { time: seen };
        }
        Self::Scheduled { due, failures: None }
    }

    /// The state after a document was stored that asks for a mail; none if it stays as
    /// `known`, the delivery that there was. `expiry` is how late a mail may be that is first seen,
    /// once mails are sent.
    pub(crate) fn after_write(
        known: Option<(&Self, Tag)>,
        tag: Tag,
        schedule: &Schedule,
        now: u64,
        expiry: Option<u64>,
    ) -> Option<Self> {
        let due = schedule.due;
        match known {
            Some((_, known)) if known == tag => return None,
            // What was sent is sent again only if it is set to a later time.
            Some((sent @ Self::Sent { .. }, _)) if due <= now && !schedule.is_other_mail => {
                return Some(sent.clone());
            }
            _ => {}
        }
        Some(match expiry {
            Some(expiry) => Self::initial(due, now, Duration::from_millis(expiry)),
            None => Self::Scheduled { due, failures: None },
        })
    }

    /// When the next attempt is due, if there is one.
    pub fn due(&self) -> Option<u64> {
        match self {
            Self::Scheduled { due, .. } => Some(*due),
            _ => None,
        }
    }

    /// The failed attempts, if more may follow.
    pub fn failures(&self) -> Option<&FailedAttempts> {
        match self {
            Self::Scheduled { failures, .. } | Self::Sending { failures } => failures.as_ref(),
            _ => None,
        }
    }

    /// The name of the state.
    pub fn name(&self) -> StateName {
        match self {
            Self::Scheduled { .. } => StateName::Scheduled,
            Self::Sending { .. } => StateName::Sending,
            Self::Sent { .. } => StateName::Sent,
            Self::Failed { .. } => StateName::Failed,
            Self::Expired { .. } => StateName::Expired,
        }
    }

    /// The state after an attempt. `jitter` is from 0 to 1 and spreads the delays, so that mails
    /// that failed together are not retried together.
    #[must_use]
    pub fn after(&self, outcome: AttemptOutcome, now: u64, retry: Duration, jitter: f64) -> Self {
        let failures = self.failures();
        let attempts = failures.map_or(0, |failures| failures.count) + 1;
        let reason = match outcome {
            AttemptOutcome::Accepted => return Self::Sent { time: now, attempts },
            AttemptOutcome::Rejected(reason) => {
                return Self::Failed { time: now, attempts, reason };
            }
            AttemptOutcome::Retry(reason) => reason,
        };
        let first = failures.map_or(now, |failures| failures.first);
        let doubled = retry.saturating_mul(1 << (attempts - 1).min(20));
        let backoff = doubled.min(MAX_BACKOFF).mul_f64(0.5 + jitter);
        let due = now.saturating_add(millis(backoff));
        if due > first.saturating_add(millis(MAX_RETRY_TIME)) {
            return Self::Failed { time: now, attempts, reason };
        }
        let failures = Some(FailedAttempts { first, count: attempts, reason });
        Self::Scheduled { due, failures }
    }
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: u64 = 86_400_000;

    fn retried(state: &DeliveryState, now: u64, jitter: f64) -> DeliveryState {
        state.after(AttemptOutcome::Retry("451 busy".into()), now, MINUTE, jitter)
    }

    #[test]
    fn a_notification_that_is_first_seen_too_late_has_expired() {
        let expiry = Duration::from_secs(86_400);
        assert_eq!(
            DeliveryState::initial(5, DAY, expiry),
            DeliveryState::Scheduled { due: 5, failures: None }
        );
        assert_eq!(
            DeliveryState::initial(5, DAY + 6, expiry),
            DeliveryState::Expired { time: DAY + 6 }
        );
    }

    #[test]
    fn delays_double_with_jitter_for_a_day() {
        let mut state = DeliveryState::Scheduled { due: 0, failures: None };
        let (mut now, mut attempts) = (0, 0);
        let mut delays = Vec::new();
        while let DeliveryState::Scheduled { .. } = state {
            state = retried(&state, now, 0.5);
            attempts += 1;
            if let Some(due) = state.due() {
                delays.push((due - now) / 60_000);
                now = due;
            }
        }
        assert_eq!(delays[..9], [1, 2, 4, 8, 16, 32, 64, 128, 240]);
        assert!(now <= DAY, "{now}");
        assert_eq!(state, DeliveryState::Failed { time: now, attempts, reason: "451 busy".into() });
        let initial = DeliveryState::Scheduled { due: 0, failures: None };
        assert_eq!(retried(&initial, 0, 0.0).due(), Some(30_000));
        assert_eq!(retried(&initial, 0, 1.0).due(), Some(90_000));
    }

    #[test]
    fn acceptance_and_rejection_are_final() {
        let initial = DeliveryState::Sending { failures: None };
        let done = initial.after(AttemptOutcome::Accepted, 9, MINUTE, 0.5);
        assert_eq!(done, DeliveryState::Sent { time: 9, attempts: 1 });
        let failed =
            initial.after(AttemptOutcome::Rejected("550 no such user".into()), 9, MINUTE, 0.5);
        assert_eq!((failed.name(), failed.due()), (StateName::Failed, None));
    }

    #[test]
    fn a_written_state_parses_back() {
        for state in [
            DeliveryState::Scheduled { due: 7, failures: None },
            retried(&DeliveryState::Sending { failures: None }, 3, 0.1),
            DeliveryState::Expired { time: 1 },
        ] {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<DeliveryState>(&text).unwrap(), state, "{text}");
        }
    }
}
