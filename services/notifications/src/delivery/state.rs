//! The state of a notification's delivery, and the transition after each attempt. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// No attempt is made later after the first one.
const GIVE_UP: Duration = Duration::from_secs(86_400);
const LONGEST_PAUSE: Duration = Duration::from_secs(4 * 3600);

/// The words for the states.
pub(super) const STATES: [&str; 5] = ["scheduled", "sending", "sent", "failed", "expired"];

/// What has become of a notification. Times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum State {
    /// It will be sent when it is due; attempts may have been made.
    Scheduled {
        /// When the next attempt is due.
        due: u64,
        /// The attempts so far.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tried: Option<Tried>,
    },
    /// An attempt is under way. Never on the disk: after a crash it is made again.
    Sending {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tried: Option<Tried>,
    },
    /// A relay has taken it.
    Sent {
        /// When.
        time: u64,
        /// How many attempts it took.
        attempts: u32,
    },
    /// It is given up.
    Failed {
        /// When.
        time: u64,
        /// How many attempts were made.
        attempts: u32,
        /// Why the last one failed.
        why: String,
    },
    /// It was long due when it was first seen.
    Expired {
        /// When it was seen.
        time: u64,
    },
}

/// Attempts that have failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tried {
    /// When the first one was made.
    pub(super) first: u64,
    pub(super) attempts: u32,
    /// Why the last one failed.
    pub(super) why: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    Taken,
    /// It may succeed later.
    Later(String),
    /// It never will.
    Never(String),
}

impl State {
    /// Of a notification that is seen for the first time.
    pub(super) fn first(due: u64, seen: u64, expiry: Duration) -> Self {
        if due.saturating_add(millis(expiry)) < seen {
            return Self::Expired { time: seen };
        }
        Self::Scheduled { due, tried: None }
    }

    /// When the next attempt is due, if one is.
    pub(super) fn due(&self) -> Option<u64> {
        match self {
            Self::Scheduled { due, .. } => Some(*due),
            _ => None,
        }
    }

    /// The attempts that have failed and that the next one follows.
    pub(super) fn tried(&self) -> Option<&Tried> {
        match self {
            Self::Scheduled { tried, .. } | Self::Sending { tried } => tried.as_ref(),
            _ => None,
        }
    }

    /// The word for it, as clients know it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Scheduled { .. } => "scheduled",
            Self::Sending { .. } => "sending",
            Self::Sent { .. } => "sent",
            Self::Failed { .. } => "failed",
            Self::Expired { .. } => "expired",
        }
    }

    /// What an attempt makes of it. `chance` is from 0 to 1 and spreads the pauses, so that
    /// what failed together does not come back together.
    pub(super) fn after(&self, attempt: Attempt, now: u64, retry: Duration, chance: f64) -> Self {
        let before = self.tried();
        let attempts = before.map_or(0, |tried| tried.attempts) + 1;
        let why = match attempt {
            Attempt::Taken => return Self::Sent { time: now, attempts },
            Attempt::Never(why) => return Self::Failed { time: now, attempts, why },
            Attempt::Later(why) => why,
        };
        let first = before.map_or(now, |tried| tried.first);
        let doubled = retry.saturating_mul(1 << (attempts - 1).min(20));
        let pause = doubled.min(LONGEST_PAUSE).mul_f64(0.5 + chance);
        let due = now.saturating_add(millis(pause));
        if due > first.saturating_add(millis(GIVE_UP)) {
            return Self::Failed { time: now, attempts, why };
        }
        Self::Scheduled { due, tried: Some(Tried { first, attempts, why }) }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: u64 = 86_400_000;

    fn later(state: &State, now: u64, chance: f64) -> State {
        state.after(Attempt::Later("451 busy".into()), now, MINUTE, chance)
    }

    #[test]
    fn what_was_long_due_when_first_seen_is_expired() {
        let expiry = Duration::from_secs(86_400);
        assert_eq!(State::first(5, DAY, expiry), State::Scheduled { due: 5, tried: None });
        assert_eq!(State::first(5, DAY + 6, expiry), State::Expired { time: DAY + 6 });
    }

    #[test]
    fn pauses_double_and_are_spread_until_a_day_is_over() {
        let mut state = State::Scheduled { due: 0, tried: None };
        let (mut now, mut attempts) = (0, 0);
        let mut pauses = Vec::new();
        while let State::Scheduled { .. } = state {
            state = later(&state, now, 0.5);
            attempts += 1;
            if let Some(due) = state.due() {
                pauses.push((due - now) / 60_000);
                now = due;
            }
        }
        assert_eq!(pauses[..9], [1, 2, 4, 8, 16, 32, 64, 128, 240]);
        assert!(now <= DAY, "{now}");
        assert_eq!(state, State::Failed { time: now, attempts, why: "451 busy".into() });
        let begun = State::Scheduled { due: 0, tried: None };
        assert_eq!(later(&begun, 0, 0.0).due(), Some(30_000));
        assert_eq!(later(&begun, 0, 1.0).due(), Some(90_000));
    }

    #[test]
    fn what_is_final_stays() {
        let begun = State::Sending { tried: None };
        let done = begun.after(Attempt::Taken, 9, MINUTE, 0.5);
        assert_eq!(done, State::Sent { time: 9, attempts: 1 });
        let failed = begun.after(Attempt::Never("550 no such user".into()), 9, MINUTE, 0.5);
        assert_eq!((failed.word(), failed.due()), ("failed", None));
    }

    #[test]
    fn a_state_reads_back() {
        for state in [
            State::Scheduled { due: 7, tried: None },
            later(&State::Sending { tried: None }, 3, 0.1),
            State::Expired { time: 1 },
        ] {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state, "{text}");
        }
    }
}
