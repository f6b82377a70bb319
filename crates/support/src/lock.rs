//! The lock of a stack: the right to change it, as an account or its hosts keep it.

use serde::Serialize;

use crate::wait::unix_seconds;

/// How far the clocks of two machines may differ, in seconds.
pub const SKEW: u64 = 30;

/// The right to change a stack, which one command holds at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// Distinguishes this lock from an earlier or later one.
    pub id: String,
    /// The user, machine and process that hold it.
    pub owner: String,
    /// The command that it is held for.
    pub purpose: String,
    /// When it was acquired, in seconds since 1970.
    pub since: u64,
    /// When it expires unless it is renewed, in seconds since 1970.
    pub expires: u64,
}

impl Lock {
    /// Whether it has expired by everybody's clock.
    pub fn has_expired(&self) -> bool {
        unix_seconds() > self.expires + SKEW
    }

    /// Whether this is the lock that was requested. An account gives it another id.
    pub fn is_same(&self, requested: &Self) -> bool {
        self.id == requested.id || (&self.owner, self.since) == (&requested.owner, requested.since)
    }
}
