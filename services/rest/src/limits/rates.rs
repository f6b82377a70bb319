//! Requests, changes and searches a second, and mails an hour.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Quotas;
use super::client::{Client, Kind};

/// The seconds whose requests may come at once after a pause.
const BURST: NonZeroU32 = NonZeroU32::new(2).expect("not zero");
/// Clients that are counted by themselves at once, some 100 bytes each.
const MAX_CLIENTS: usize = 1 << 16;
/// Requests between two looks at how many clients there are.
const LOOK_EVERY: u32 = 1024;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Something that is there.
    Read,
    /// What is found by a search.
    Search,
    /// A change.
    Change,
    /// A change that has a mail sent.
    Mail,
}

/// The rates of all clients.
#[derive(Debug)]
pub(super) struct Rates {
    requests: Option<Rate>,
    changes: Option<Rate>,
    searches: Option<Rate>,
    mails: Option<Rate>,
}

/// A rate that each client has for itself.
#[derive(Debug)]
struct Rate {
    clients: Buckets,
    /// Of those that may have more.
    wide: Buckets,
    /// Of those that are many.
    crowds: Buckets,
    clock: DefaultClock,
    seen: AtomicU32,
    /// There are so many clients that all are counted together.
    is_full: AtomicBool,
    /// Held by the thread that forgets clients.
    sweep: Mutex<()>,
}

type Buckets = RateLimiter<Client, DashMapStateStore<Client>, DefaultClock>;

impl Rates {
    pub(super) fn new(quotas: Quotas) -> Self {
        let Quotas { requests, changes, searches, mails, connections: _ } = quotas;
        let [requests, changes, searches] =
            [requests, changes, searches].map(|quota| quota.map(Rate::per_second));
        Self { requests, changes, searches, mails: mails.map(Rate::per_hour) }
    }

    pub(super) fn admit(&self, client: Client, class: Class) -> Result<(), Duration> {
        let of_class = match class {
            Class::Read => [&None, &None],
            Class::Search => [&None, &self.searches],
            Class::Change => [&None, &self.changes],
            Class::Mail => [&self.mails, &self.changes],
        };
        let rates = of_class.into_iter().chain([&self.requests]).flatten();
        rates.into_iter().try_for_each(|rate| rate.admit(client))
    }
}

impl Rate {
    fn per_second(requests: NonZeroU32) -> Self {
        Self::new(requests, |requests| {
            Quota::per_second(requests).allow_burst(requests.saturating_mul(BURST))
        })
    }

    fn per_hour(requests: NonZeroU32) -> Self {
        Self::new(requests, Quota::per_hour)
    }

    fn new(requests: NonZeroU32, quota: impl Fn(NonZeroU32) -> Quota) -> Self {
        let buckets =
            |kind: Kind| RateLimiter::dashmap(quota(requests.saturating_mul(kind.times())));
        Self {
            clients: buckets(Kind::One),
            wide: buckets(Kind::Wide),
            crowds: buckets(Kind::Crowd),
            clock: DefaultClock::default(),
            seen: AtomicU32::new(0),
            is_full: AtomicBool::new(false),
            sweep: Mutex::new(()),
        }
    }

    fn admit(&self, client: Client) -> Result<(), Duration> {
        if self.seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_EVERY) {
            self.forget_idle();
        }
        let (buckets, client) = match client.kind() {
            Kind::Crowd => (&self.crowds, client),
            Kind::Wide => (&self.wide, client),
            Kind::One if self.is_full.load(Ordering::Relaxed) => (&self.wide, Client::Others),
            Kind::One => (&self.clients, client),
        };
        buckets.check_key(&client).map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Forgets clients that have been idle for so long that they may have all again.
    fn forget_idle(&self) {
        let Ok(_sweep) = self.sweep.try_lock() else { return };
        if self.clients.len() > MAX_CLIENTS / 2 {
            self.clients.retain_recent();
        }
        self.is_full.store(self.clients.len() > MAX_CLIENTS, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(requests: u32, changes: u32) -> Rates {
        Rates::new(Quotas {
            requests: NonZeroU32::new(requests),
            changes: NonZeroU32::new(changes),
            ..Quotas::default()
        })
    }

    fn client(n: u32) -> Client {
        Client::V4(n.into())
    }

    /// How many of a thousand requests at once are admitted.
    fn admitted(rates: &Rates, client: Client, class: Class) -> usize {
        (0..1000).filter(|_| rates.admit(client, class).is_ok()).count()
    }

    #[test]
    fn each_client_has_a_rate_of_its_own() {
        let rates = rates(10, 5);
        let first = admitted(&rates, client(1), Class::Read);
        let wide = admitted(&rates, Client::Holder(7), Class::Read);
        // Some may be admitted again while the others are refused.
        assert!((20..40).contains(&first), "{first}");
        assert!((80..160).contains(&wide), "{wide}");
        let gateway = Client::Crowd([172, 17, 0, 1].into());
        let crowd = admitted(&rates, gateway, Class::Read);
        assert!((320..640).contains(&crowd), "{crowd}");
        assert!(rates.admit(client(3), Class::Read).is_ok());
    }

    #[test]
    fn changes_count_twice_and_say_how_long_to_wait() {
        let rates = rates(100, 5);
        let changes = admitted(&rates, client(1), Class::Change);
        assert!((10..20).contains(&changes), "{changes}");
        let wait = (0..100).find_map(|_| rates.admit(client(1), Class::Change).err());
        assert!(wait.is_some_and(|wait| wait <= Duration::from_secs(1)), "{wait:?}");
        // What was refused has taken nothing from other requests.
        assert!(rates.admit(client(1), Class::Read).is_ok());
    }

    #[test]
    fn too_many_clients_are_counted_together() {
        let rates = rates(1, 1);
        let count = u32::try_from(MAX_CLIENTS).unwrap() * 2;
        for n in 0..count {
            let _ = rates.admit(client(n), Class::Read);
        }
        let requests = rates.requests.as_ref().unwrap();
        let most = MAX_CLIENTS + LOOK_EVERY as usize;
        assert!(requests.clients.len() <= most, "{}", requests.clients.len());
    }
}
