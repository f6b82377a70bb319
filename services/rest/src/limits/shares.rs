//! What clients hold at the same time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client::{Client, Kind};

/// Counts what each client holds of something, up to a limit.
#[derive(Debug)]
pub(super) struct Shares {
    /// What a client may hold: one, one that may have more, and many.
    limits: [usize; 3],
    /// Only clients that hold something are in it.
    held: Mutex<HashMap<Client, Held>>,
}

#[derive(Debug, Default)]
struct Held {
    amount: usize,
    shares: usize,
}

/// What a client holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    client: Client,
    amount: usize,
}

impl Shares {
    pub(super) fn new(limit: impl Fn(Kind) -> usize) -> Arc<Self> {
        let limits = [Kind::One, Kind::Wide, Kind::Crowd].map(limit);
        Arc::new(Self { limits, held: Mutex::default() })
    }

    /// Gives a client a share, unless it would hold too much with it.
    pub(super) fn take(shares: &Arc<Self>, client: Client, amount: usize) -> Option<Share> {
        let limit = shares.limit_of(client);
        let mut all = shares.lock();
        if all.get(&client).map_or(0, |held| held.amount) + amount > limit {
            return None;
        }
        let held = all.entry(client).or_default();
        held.amount += amount;
        held.shares += 1;
        drop(all);
        Some(Share { shares: Arc::clone(shares), client, amount })
    }

    fn limit_of(&self, client: Client) -> usize {
        self.limits[client.kind() as usize]
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Client, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Holds more; returns whether it may.
    pub(crate) fn grow(&mut self, amount: usize) -> bool {
        let limit = self.shares.limit_of(self.client);
        let mut all = self.shares.lock();
        let held = all.entry(self.client).or_default();
        if held.amount + amount > limit {
            return false;
        }
        held.amount += amount;
        drop(all);
        self.amount += amount;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.shares.lock();
        if let Entry::Occupied(mut held) = all.entry(self.client) {
            let left = held.get_mut();
            left.amount = left.amount.saturating_sub(self.amount);
            left.shares = left.shares.saturating_sub(1);
            if left.shares == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_holds_no_more_than_its_share() {
        let shares = Shares::new(|kind| 10 * kind.times().get() as usize);
        let (one, other) = (Client::V4([192, 0, 2, 1].into()), Client::V4([192, 0, 2, 2].into()));
        let mut first = Shares::take(&shares, one, 6).unwrap();
        assert!(Shares::take(&shares, one, 5).is_none());
        assert!(!first.grow(5));
        assert!(first.grow(4));
        assert!(Shares::take(&shares, other, 10).is_some());
        assert!(Shares::take(&shares, Client::Others, 40).is_some());
        drop(first);
        assert!(Shares::take(&shares, one, 10).is_some());
        assert!(shares.lock().is_empty());
    }
}
