//! Limits what each client may ask for at once, so that none keeps the others waiting.
//!
//! ```text
//! client    whose requests are counted together
//! proxies   the proxies that are trusted to name the client
//! gateway   the address that Docker puts in the place of some clients
//! rates     requests, changes and searches a second, mails an hour
//! shares    what clients hold at the same time: connections, bodies, answers, lists
//! settings  from the command line and the environment
//! ```

mod client;
mod gateway;
mod proxies;
mod rates;
mod settings;
mod shares;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;

pub(crate) use client::Client;
use client::Kind;
use proxies::Proxies;
pub(crate) use rates::Class;
use rates::Rates;
pub(crate) use settings::LimitArgs;
pub(crate) use shares::Share;
use shares::Shares;

/// The bytes of bodies that arrive from one client at the same time: an eighth of what all have.
const BODY_BYTES: usize = 2 << 20;
/// The bytes of answers that one client reads at the same time: a quarter of what all have.
const ANSWER_BYTES: usize = 8 << 20;
/// Lists that one client reads at the same time while they are read from the store, of 32.
const LISTS: usize = 8;
/// Clients that cannot be told apart may have half of what all have.
const CROWD_BODY_BYTES: usize = 8 << 20;
const CROWD_ANSWER_BYTES: usize = 16 << 20;
const CROWD_LISTS: usize = 16;

/// What each client may have; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default)]
struct Quotas {
    /// Requests a second, and twice as many at once.
    requests: Option<NonZeroU32>,
    /// Of these, those that change something.
    changes: Option<NonZeroU32>,
    /// Of these, those that search.
    searches: Option<NonZeroU32>,
    /// Mails an hour that it has sent to others.
    mails: Option<NonZeroU32>,
    /// Open connections.
    connections: Option<NonZeroU32>,
}

/// What each client holds of the service's memory.
#[derive(Debug)]
struct Memory {
    bodies: Arc<Shares>,
    answers: Arc<Shares>,
    lists: Arc<Shares>,
}

/// The client holds as much as it may.
#[derive(Debug)]
pub(crate) struct TooMuch;

/// Limits what each client may ask for at once.
#[derive(Debug)]
pub struct ClientLimits {
    rates: Rates,
    connections: Option<Arc<Shares>>,
    /// What clients hold of the service's memory; unlimited where nothing else is limited.
    memory: Option<Memory>,
    proxies: Proxies,
    /// Where clients that cannot be told apart seem to be, if there are any.
    gateway: Option<IpAddr>,
}

impl ClientLimits {
    fn new(quotas: Quotas, proxies: Proxies, gateway: Option<IpAddr>) -> Self {
        let connections = quotas
            .connections
            .map(|each| Shares::new(move |kind| each.saturating_mul(kind.times()).get() as usize));
        // Of memory, the holder of a token may have no more than others.
        let of_memory =
            |each, crowd| Shares::new(move |kind| if kind == Kind::Crowd { crowd } else { each });
        let memory = quotas.are_any().then(|| Memory {
            bodies: of_memory(BODY_BYTES, CROWD_BODY_BYTES),
            answers: of_memory(ANSWER_BYTES, CROWD_ANSWER_BYTES),
            lists: of_memory(LISTS, CROWD_LISTS),
        });
        Self { rates: Rates::new(quotas), connections, memory, proxies, gateway }
    }

    /// No limits.
    pub fn none() -> Self {
        Self::new(Quotas::default(), Proxies::default(), None)
    }

    /// The address that a request comes from. A trusted proxy is believed which client it speaks
    /// for.
    pub(crate) fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.proxies.client(peer, headers)
    }

    /// The client at an address.
    pub(crate) fn client(&self, address: IpAddr) -> Client {
        if self.gateway == Some(address) { Client::Crowd(address) } else { Client::at(address) }
    }

    /// Counts a request. The error is how long the client must wait.
    pub(crate) fn admit(&self, client: Client, class: Class) -> Result<(), Duration> {
        self.rates.admit(client, class)
    }

    /// Counts a connection until the share is dropped. There is none if it need not be counted.
    pub(crate) fn connect(&self, peer: IpAddr) -> Result<Option<Share>, TooMuch> {
        let Some(shares) = &self.connections else { return Ok(None) };
        let Some(client) = self.peer(peer) else { return Ok(None) };
        Shares::take(shares, client, 1).map(Some).ok_or(TooMuch)
    }

    /// The client that a connection belongs to; `None` for those of a trusted proxy, which are
    /// those of many clients.
    pub(crate) fn peer(&self, peer: IpAddr) -> Option<Client> {
        let peer = peer.to_canonical();
        (!self.proxies.trusts(peer)).then(|| self.client(peer))
    }

    /// Begins to count the bytes of a body; `None` if they are not limited.
    pub(crate) fn body(&self, client: Client) -> Option<Share> {
        Shares::take(&self.memory.as_ref()?.bodies, client, 0)
    }

    /// Counts the bytes of an answer until the share is dropped. There is none if they are not
    /// limited.
    pub(crate) fn answer(&self, client: Client, bytes: u64) -> Result<Option<Share>, TooMuch> {
        let Some(memory) = &self.memory else { return Ok(None) };
        // A client that reads nothing else may read a longer one.
        let bytes = usize::try_from(bytes).map_or(ANSWER_BYTES, |bytes| bytes.min(ANSWER_BYTES));
        Shares::take(&memory.answers, client, bytes).map(Some).ok_or(TooMuch)
    }

    /// Counts a list that is read from the store while it is sent, likewise.
    pub(crate) fn list(&self, client: Client) -> Result<Option<Share>, TooMuch> {
        let Some(memory) = &self.memory else { return Ok(None) };
        Shares::take(&memory.lists, client, 1).map(Some).ok_or(TooMuch)
    }
}

impl Quotas {
    fn are_any(self) -> bool {
        let Self { requests, changes, searches, mails, connections } = self;
        [requests, changes, searches, mails, connections].iter().any(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many connections from an address are open before one is refused.
    fn connections(limits: &ClientLimits, address: &str) -> usize {
        let address = address.parse().unwrap();
        let held: Vec<_> = (0..1000).map_while(|_| limits.connect(address).ok()).collect();
        held.len()
    }

    #[test]
    fn those_behind_the_gateway_have_as_much_as_many_clients() {
        let quotas = Quotas { connections: NonZeroU32::new(3), ..Quotas::default() };
        let gateway = "172.17.0.1".parse().unwrap();
        let limits = ClientLimits::new(quotas, Proxies::default(), Some(gateway));
        for (address, count) in
            [("172.17.0.1", 48), ("::ffff:172.17.0.1", 48), ("192.0.2.1", 3), ("2001:db8::1", 3)]
        {
            assert_eq!(connections(&limits, address), count, "{address}");
        }
        let crowd = limits.client(gateway);
        let one = limits.client("192.0.2.1".parse().unwrap());
        let held = [limits.answer(crowd, 8 << 20), limits.answer(crowd, 8 << 20)];
        assert!(held.iter().all(Result::is_ok) && limits.answer(crowd, 1).is_err());
        let held = limits.answer(one, 8 << 20);
        assert!(held.is_ok() && limits.answer(one, 1).is_err());
        // Elsewhere, it is an address like others.
        let limits = ClientLimits::new(quotas, Proxies::default(), None);
        assert_eq!(connections(&limits, "172.17.0.1"), 3);
    }
}
