//! Counts connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::connection::End;
use crate::metrics::Exposition;

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
}

impl ServerMetrics {
    /// Counts a connection as open for as long as the value lives.
    pub(super) fn open(&self) -> Open {
        self.0.accepted.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(&self.0))
    }

    pub(super) fn refused(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes them for Prometheus.
    pub(crate) fn write(&self, out: &mut Exposition) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { accepted, open, refused, malformed, timed_out } = &*self.0;
        out.single("eventpost_connections", "gauge", "Open connections.", read(open));
        for (name, help, counter) in [
            ("accepted", "Connections accepted.", accepted),
            ("refused", "Connections refused, since there were too many.", refused),
            ("malformed", "Connections that sent what is no HTTP, or too large a head.", malformed),
            ("timed_out", "Connections on which nothing happened for too long.", timed_out),
        ] {
            let name = format!("eventpost_connections_{name}_total");
            out.single(&name, "counter", help, read(counter));
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Open(Arc<Counters>);

impl Open {
    /// Counts how it ended.
    pub(super) fn ended(self, end: End) {
        let counter = match end {
            End::Closed => return,
            End::Malformed => &self.0.malformed,
            End::TimedOut => &self.0.timed_out,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
