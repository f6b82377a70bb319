//! States of deliveries as the columns of a row, and other values of statements, the same for every
//! engine.

use crate::{DeliveryState, FailedAttempts, ObjectId, StateName};

/// The values of a state, by column.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    /// The state's number.
    pub(crate) state: i64,
    pub(crate) due: Option<i64>,
    pub(crate) first: Option<i64>,
    pub(crate) attempts: Option<u32>,
    pub(crate) time: Option<i64>,
    pub(crate) reason: Option<String>,
}

/// A time as it is stored.
pub(crate) fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// The number by which a state is stored.
pub(crate) const fn number(name: StateName) -> i64 {
    name as i64
}

/// A state's name by its number.
pub(crate) fn name(number: i64) -> Option<StateName> {
    usize::try_from(number).ok().and_then(|it| StateName::ALL.get(it).copied())
}

/// A number of rows as engines take it.
pub(crate) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// What ids have to be greater than: the bytes of one, or none, which are less than all.
pub(crate) fn after_bytes(after: Option<&ObjectId>) -> &[u8] {
    after.map_or(&[], |id| id.bytes().as_slice())
}

impl From<&DeliveryState> for Columns {
    fn from(state: &DeliveryState) -> Self {
        let mut columns =
            Self { state: number(state.name()), due: state.due().map(signed), ..Self::default() };
        if let Some(failures) = state.failures() {
            columns.first = Some(signed(failures.first));
            columns.attempts = Some(failures.count);
            columns.reason = Some(failures.reason.clone());
        }
        match state {
            DeliveryState::Scheduled { .. } | DeliveryState::Sending { .. } => {}
            DeliveryState::Sent { time, attempts } => {
                columns.time = Some(signed(*time));
                columns.attempts = Some(*attempts);
            }
            DeliveryState::Failed { time, attempts, reason } => {
                columns.time = Some(signed(*time));
                columns.attempts = Some(*attempts);
                columns.reason = Some(reason.clone());
            }
            DeliveryState::Expired { time } => columns.time = Some(signed(*time)),
        }
        columns
    }
}

impl Columns {
    /// The state with these values; none if its number is that of no state.
    pub(crate) fn into_state(self) -> Option<DeliveryState> {
        let time = |time: Option<i64>| time.unwrap_or(0).cast_unsigned();
        let reason = self.reason.unwrap_or_default();
        let attempts = self.attempts.unwrap_or_default();
        let failures = |reason| {
            let first = time(self.first);
            self.attempts.map(|count| FailedAttempts { first, count, reason })
        };
        Some(match name(self.state)? {
            StateName::Scheduled => {
                DeliveryState::Scheduled { due: time(self.due), failures: failures(reason) }
            }
            StateName::Sending => DeliveryState::Sending { failures: failures(reason) },
            StateName::Sent => DeliveryState::Sent { time: time(self.time), attempts },
            StateName::Failed => DeliveryState::Failed { time: time(self.time), attempts, reason },
            StateName::Expired => DeliveryState::Expired { time: time(self.time) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_read_as_it_was_written() {
        let failures = Some(FailedAttempts { first: 3, count: 2, reason: "451 busy".into() });
        for state in [
            DeliveryState::Scheduled { due: 7, failures: None },
            DeliveryState::Scheduled { due: 7, failures: failures.clone() },
            DeliveryState::Sending { failures },
            DeliveryState::Sent { time: 8, attempts: 3 },
            DeliveryState::Failed { time: 8, attempts: 3, reason: "550 no such user".into() },
            DeliveryState::Expired { time: 9 },
        ] {
            assert_eq!(Columns::from(&state).into_state(), Some(state));
        }
        assert_eq!(Columns { state: 5, ..Columns::default() }.into_state(), None);
    }
}
