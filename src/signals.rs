//! This module owns Ctrl-C and SIGTERM: they are ordinary inputs that end the work
//! at its next await and let the command undo what it had begun.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Error;

/// Listens for signals from when it is made.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// A signal that came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caught {
    name: &'static str,
    code: u8,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self, Error> {
        let on = |kind| signal(kind).map_err(Error::Runtime);
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
        })
    }

    /// Runs `work` to its end, or drops it when a signal comes.
    pub(crate) async fn race<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Caught> {
        tokio::select! {
            done = work => Ok(done),
            caught = self.caught() => Err(caught),
        }
    }

    /// Waits for a signal.
    pub(crate) async fn caught(&mut self) -> Caught {
        tokio::select! {
            _ = self.interrupt.recv() => Caught { name: "interrupted", code: 130 },
            _ = self.terminate.recv() => Caught { name: "terminated", code: 143 },
        }
    }
}

impl Caught {
    pub(crate) fn into_error(self, outcome: &'static str) -> Error {
        Error::Interrupted { signal: self.name, code: self.code, outcome }
    }
}
