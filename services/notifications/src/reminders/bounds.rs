//! How many reminders may be asked for: of one address, and in a day.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;
use store::{AddressDigest, DeliveryFilter, Store, StoreError};

use super::request::NewReminder;
use super::stored::{self, State};

/// Reminders of one address that nobody has confirmed yet.
const MAX_UNCONFIRMED: usize = 3;
/// Reminders of one address in all. No more of its notifications are looked at.
const MAX_OF_ADDRESS: usize = 100;
const DAY: Duration = Duration::from_secs(86_400);

/// Reminders that may be asked for in a day for one mailbox, under any of the addresses that it has
/// with a plus sign.
const MAX_OF_MAILBOX: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Mailboxes that are tracked before those are dropped whose whole allowance is back.
const MAX_MAILBOXES: usize = 10_000;

/// The bounds. Those of a day are counted by each process, since its start.
#[derive(Debug)]
pub(super) struct Bounds {
    day: DefaultDirectRateLimiter,
    mailboxes: RateLimiter<AddressDigest, DashMapStateStore<AddressDigest>, DefaultClock>,
    clock: DefaultClock,
    /// Whether the log says already that no more may be asked for.
    is_exhausted: AtomicBool,
}

impl Bounds {
    pub(super) fn new(per_day: NonZeroU32) -> Self {
        Self {
            day: RateLimiter::direct(a_day(per_day)),
            mailboxes: RateLimiter::dashmap(a_day(MAX_OF_MAILBOX)),
            clock: DefaultClock::default(),
            is_exhausted: AtomicBool::new(false),
        }
    }

    /// Counts a reminder. The error is how long no other may be asked for.
    pub(super) fn admit_today(&self) -> Result<(), Duration> {
        let admitted = self.day.check();
        let was_exhausted = self.is_exhausted.swap(admitted.is_err(), Ordering::Relaxed);
        if admitted.is_err() && !was_exhausted {
            tracing::warn!(
                "the daily limit of reminders is reached: others are refused for a while"
            );
        }
        admitted.map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Counts a reminder for a mailbox, and says whether it may get one.
    fn admit_mailbox(&self, to_mail: &str) -> bool {
        if self.mailboxes.len() > MAX_MAILBOXES {
            self.mailboxes.retain_recent();
        }
        self.mailboxes.check_key(&AddressDigest::of(to_mail)).is_ok()
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
        Ok(!is_same && open.len() < MAX_UNCONFIRMED && self.admit_mailbox(&new.to_mail))
    }
}

/// So many in a day, and all of them at once if there were none for a day.
fn a_day(number: NonZeroU32) -> Quota {
    // There is a period, since a day has more nanoseconds than any number of reminders.
    let quota = Quota::with_period(DAY / number.get()).unwrap_or(Quota::per_second(number));
    quota.allow_burst(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_has_many_addresses() {
        let bounds = Bounds::new(NonZeroU32::MAX);
        let admitted = (0..20).filter(|n| bounds.admit_mailbox(&format!("a+{n}@b.org"))).count();
        assert_eq!(admitted, 10);
        assert!(bounds.admit_mailbox("b@b.org"));
    }

    #[test]
    fn so_many_may_be_asked_for_in_a_day_and_then_one_at_a_time() {
        let bounds = Bounds::new(NonZeroU32::new(3).unwrap());
        assert!((0..3).all(|_| bounds.admit_today().is_ok()));
        let wait = bounds.admit_today().unwrap_err();
        assert!(wait <= DAY / 3 && wait > DAY / 4, "{wait:?}");
    }
}
