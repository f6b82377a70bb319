//! Counts connections.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::connection::CloseReason;
use crate::metrics::{counter, gauge};

/// Counts of connections; clones share them.
#[derive(Debug, Clone, Default)]
pub struct ServerMetrics(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    open: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
    timed_out: AtomicU64,
    failed_handshakes: AtomicU64,
    evicted: AtomicU64,
}

impl ServerMetrics {
    /// Counts a connection as open until the guard is dropped.
    pub(super) fn open(&self) -> OpenGuard {
        self.0.accepted.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        OpenGuard(Arc::clone(&self.0))
    }

    pub(super) fn refused(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that is closed to make room for another client's.
    pub(super) fn evicted(&self) {
        self.0.evicted.fetch_add(1, Ordering::Relaxed);
    }
}

impl Collector for ServerMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Counters { accepted, open, refused, malformed, timed_out, failed_handshakes, evicted } =
            &*self.0;
        let open = open.load(Ordering::Relaxed);
        gauge(&mut encoder, "eventpost_connections", "Open connections.", open)?;
        for (name, help, count) in [
            ("accepted", "Connections accepted.", accepted),
            ("refused", "Connections refused because there were too many, or no memory.", refused),
            (
                "malformed",
                "Connections closed because of malformed or too large requests.",
                malformed,
            ),
            ("timed_out", "Connections closed because they made no progress.", timed_out),
            (
                "failed_handshakes",
                "Connections closed because their TLS handshake failed or took too long.",
                failed_handshakes,
            ),
            ("evicted", "Connections closed to make room for those of other clients.", evicted),
        ] {
            let name = format!("eventpost_connections_{name}");
            counter(&mut encoder, &name, help, count.load(Ordering::Relaxed))?;
        }
        Ok(())
    }
}

/// Counts a connection as open until it is dropped.
#[derive(Debug)]
pub(super) struct OpenGuard(Arc<Counters>);

impl OpenGuard {
    /// Counts why the connection was closed.
    pub(super) fn closed(self, reason: CloseReason) {
        let counter = match reason {
            CloseReason::Normal => return,
            CloseReason::Malformed => &self.0.malformed,
            CloseReason::TimedOut => &self.0.timed_out,
            CloseReason::NoHandshake => &self.0.failed_handshakes,
            CloseReason::NoRoom => &self.0.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
