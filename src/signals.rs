//! Ctrl-C and SIGTERM end the work at its next await, so that the command can undo what it
//! began.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for signals from its creation on.
pub(crate) struct Signals {
    interrupt: RefCell<Signal>,
    terminate: RefCell<Signal>,
}

/// A signal that arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CaughtSignal {
    pub(crate) name: &'static str,
    pub(crate) code: u8,
}

/// The system cannot report signals.
#[derive(Debug)]
pub(crate) struct SignalError(pub(crate) io::Error);

impl Signals {
    pub(crate) fn listen() -> Result<Self, SignalError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(SignalError)?.into(),
            terminate: signal(SignalKind::terminate()).map_err(SignalError)?.into(),
        })
    }

    /// Runs `work` to its end, or drops it when a signal arrives.
    pub(crate) async fn race<T>(&self, work: impl Future<Output = T>) -> Result<T, CaughtSignal> {
        tokio::select! {
            done = work => Ok(done),
            caught = self.caught() => Err(caught),
        }
    }

    /// Waits for a signal.
    pub(crate) async fn caught(&self) -> CaughtSignal {
        poll_fn(|context| {
            if self.interrupt.borrow_mut().poll_recv(context).is_ready() {
                return Poll::Ready(CaughtSignal { name: "interrupted", code: 130 });
            }
            if self.terminate.borrow_mut().poll_recv(context).is_ready() {
                return Poll::Ready(CaughtSignal { name: "terminated", code: 143 });
            }
            Poll::Pending
        })
        .await
    }
}
