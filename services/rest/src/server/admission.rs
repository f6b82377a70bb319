//! Decides whether one more connection may be open.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::AbortHandle;

use super::Limits;
use super::level::Level;
use super::metrics::ServerMetrics;
use super::refusal::Refusal;
use super::room::{Costs, Place, Room};
use crate::limits::{ClientLimits, Share};

/// The connections that may still be opened; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Admissions {
    clients: Arc<ClientLimits>,
    room: Arc<Room>,
}

/// What an open connection holds.
#[derive(Debug)]
pub(super) struct Admission {
    _share: Option<Share>,
    /// The room that it takes.
    pub(super) place: Place,
}

impl Admissions {
    /// As many connections may be open, and hold as much memory, as the limits say.
    pub(super) fn new(limits: Limits, clients: Arc<ClientLimits>, metrics: ServerMetrics) -> Self {
        Self { clients, room: Room::new(limits.connections, limits.memory, metrics) }
    }

    /// Whether a client may have one more.
    pub(super) fn admit(
        &self,
        peer: SocketAddr,
        costs: Costs,
        level: Level,
    ) -> Result<Admission, Refusal> {
        let share = self.clients.connect(peer.ip()).map_err(|_| Refusal::TooManyOfClient)?;
        let client = self.clients.peer(peer.ip());
        let place = self.room.take(client, costs, level).map_err(|_| Refusal::TooMany)?;
        Ok(Admission { _share: share, place })
    }

    /// Allows a connection to be closed, by ending its task, when others need its room.
    pub(super) fn allow_eviction(&self, connection: u64, task: AbortHandle) {
        self.room.allow_eviction(connection, task);
    }
}
