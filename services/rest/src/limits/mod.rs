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
use proxies::Proxies;
pub(crate) use rates::Class;
use rates::Rates;
pub(crate) use settings::LimitArgs;
pub(crate) use shares::Share;
use shares::Shares;

/// How many times the rates and connections of one client the holders of a token, and clients that
/// cannot be told apart, may have. They may use no more memory.
const WIDE: NonZeroU32 = NonZeroU32::new(4).expect("not zero");
/// The bytes of bodies that arrive from one client at the same time: an eighth of what all have.
const BODY_BYTES: usize = 2 << 20;
/// The bytes of answers that one client reads at the same time: a quarter of what all have.
const ANSWER_BYTES: usize = 8 << 20;
/// Lists that one client reads at the same time while they are read from the store, of 32.
const LISTS: usize = 8;

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
    /// Where clients that cannot be told apart seem to be.
    gateway: Option<IpAddr>,
}

impl ClientLimits {
    fn new(quotas: Quotas, proxies: Proxies, gateway: Option<IpAddr>) -> Self {
        let connections = quotas
            .connections
            .map(|it| Shares::new(it.get() as usize, it.saturating_mul(WIDE).get() as usize));
        let memory = quotas.are_any().then(|| Memory {
            bodies: Shares::new(BODY_BYTES, BODY_BYTES),
            answers: Shares::new(ANSWER_BYTES, ANSWER_BYTES),
            lists: Shares::new(LISTS, LISTS),
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
