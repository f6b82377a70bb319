//! Ctrl-C and SIGTERM: ordinary inputs that end the work at its next await and let the
//! command undo what it had begun.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for signals from when it is made.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// A signal that came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caught {
    pub(crate) name: &'static str,
    pub(crate) code: u8,
}

/// The system does not tell of signals.
#[derive(Debug)]
pub(crate) struct NoSignals(pub(crate) io::Error);

impl Signals {
    pub(crate) fn listen() -> Result<Self, NoSignals> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(NoSignals)?,
            terminate: signal(SignalKind::terminate()).map_err(NoSignals)?,
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
