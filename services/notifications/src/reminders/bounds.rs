//! How many reminders may be asked for: of one address, and in a day.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;
use store::{DeliveryFilter, Store, StoreError};

use super::request::NewReminder;
use super::stored::{self, State};

/// Reminders of one address that nobody has confirmed yet.
const MAX_UNCONFIRMED: usize = 3;
/// Reminders of one address in all. No more of its notifications are looked at.
const MAX_OF_ADDRESS: usize = 100;
const DAY: Duration = Duration::from_secs(86_400);

/// The bounds. That of a day is counted by each process, since its start.
#[derive(Debug)]
pub(super) struct Bounds {
    day: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl Bounds {
    pub(super) fn new(per_day: NonZeroU32) -> Self {
        // There is a period, since no number of nanoseconds is less than that of reminders.
        let quota = Quota::with_period(DAY / per_day.get()).unwrap_or(Quota::per_second(per_day));
        let day = RateLimiter::direct(quota.allow_burst(per_day));
        Self { day, clock: DefaultClock::default() }
    }

    /// Counts a reminder. The error is how long no other may be asked for.
    pub(super) fn admit_today(&self) -> Result<(), Duration> {
        self.day.check().map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Whether an address may get another reminder: one that it does not have already.
    pub(super) async fn admit_address(
        &self,
        store: &dyn Store,
        new: &NewReminder,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let recipient = Some(new.to_mail.to_ascii_lowercase());
        let limit = MAX_OF_ADDRESS;
        let found = store
            .deliveries(DeliveryFilter { recipient, limit, ..DeliveryFilter::default() })
            .await?;
        if found.len() >= limit {
            return Ok(false);
        }
        let reminders = found.iter().filter_map(|(document, _)| stored::read(&document.bytes));
        let open: Vec<_> = reminders.filter(|(_, reminder)| reminder.is_open(now)).collect();
        let is_same = open.iter().any(|(_, reminder)| match &reminder.state {
            State::Unconfirmed(open) => reminder.event == new.reminder.event && open.due == new.due,
            State::Confirmed => false,
        });
        Ok(!is_same && open.len() < MAX_UNCONFIRMED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_may_be_asked_for_in_a_day_and_then_one_at_a_time() {
        let bounds = Bounds::new(NonZeroU32::new(3).unwrap());
        assert!((0..3).all(|_| bounds.admit_today().is_ok()));
        let wait = bounds.admit_today().unwrap_err();
        assert!(wait <= DAY / 3 && wait > DAY / 4, "{wait:?}");
    }
}
