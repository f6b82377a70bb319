//! Decides whether one more connection may be open.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;
use crate::limits::{ClientLimits, Share};

/// The connections that may still be opened; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Admissions {
    clients: Arc<ClientLimits>,
    permits: Arc<Semaphore>,
}

/// What an open connection holds.
#[derive(Debug)]
pub(super) struct Admission {
    _share: Option<Share>,
    _permit: OwnedSemaphorePermit,
}

impl Admissions {
    /// So many connections may be open, and so many of each client.
    pub(super) fn new(connections: usize, clients: Arc<ClientLimits>) -> Self {
        Self { clients, permits: Arc::new(Semaphore::new(connections)) }
    }

    /// Whether a client may have one more.
    pub(super) fn admit(&self, peer: SocketAddr) -> Result<Admission, Refusal> {
        let share = self.clients.connect(peer.ip()).map_err(|_| Refusal::TooManyOfClient)?;
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        Ok(Admission { _share: share, _permit: permit.map_err(|_| Refusal::TooMany)? })
    }
}
