//! The right to change a stack, as it is kept in an account or on hosts.

use serde::Serialize;

use crate::wait::unix_seconds;

/// How wrong the clocks of two machines may be, in seconds.
pub const SKEW: u64 = 30;

/// Who may change a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// What this very lease is recognised by.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// What it is held for.
    pub purpose: String,
    /// When it was taken, in seconds since 1970.
    pub since: u64,
    /// Until when it holds unless it is renewed, in seconds since 1970.
    pub until: u64,
}

impl Lease {
    /// Whether its time is over, whoever's clock is right.
    pub fn has_run_out(&self) -> bool {
        unix_seconds() > self.until + SKEW
    }

    /// Whether it is the one that was wanted; an account gives it another id.
    pub fn is_of(&self, wanted: &Self) -> bool {
        self.id == wanted.id || (&self.owner, self.since) == (&wanted.owner, wanted.since)
    }
}
