//! Runs services as processes of this machine: where they keep their files ([`folder`]), how
//! they are started and stopped ([`process`]), and how they become ready ([`start`]).
//!
//! There is no state that can go stale: a service runs if it holds the lock of its data folder,
//! and the lock file says where it listens.

mod folder;
mod process;
mod start;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::health::HealthError;
use rest::data_dir::DataDirError;

pub use folder::{ServiceFolder, StackFolder, StackLock};
pub use process::{find, last_lines, local_env, release, restore, stop};
pub use start::{Job, StartedServices};

/// Why something about local services failed.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Neither `--state-dir` nor a home folder is known.
    #[error(
        "there is no folder for data and logs: set HOME or XDG_STATE_HOME, or give --state-dir"
    )]
    NoStateDir,
    /// A file or folder cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A service's data folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A service is not ready.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// A process that was found there is not this user's.
    #[error(
        "the data of {service} belong to another user (uid {uid}), whose processes are not touched: \
         run this as that user, or choose another --state-dir"
    )]
    Foreign {
        /// The service.
        service: String,
        /// The user.
        uid: u32,
    },
    /// Another command is changing the stack.
    #[error("another eventpost is changing the local stack `{stack}`: try again when it is done")]
    Busy {
        /// The stack.
        stack: String,
    },
    /// A port is in use.
    #[error(
        "port {} of {service} is in use by another program: stop that (`ss -ltnp` shows it), or \
         choose other ports with --port-base", address.port()
    )]
    PortTaken {
        /// The service.
        service: String,
        /// The address that was tried.
        address: SocketAddr,
    },
    /// There are not enough ports.
    #[error("--port-base {base}: {services} services do not fit below port 65536")]
    NoPorts {
        /// The first port.
        base: u16,
        /// How many are needed.
        services: usize,
    },
    /// A copy could not be restored.
    #[error("{service}: its data were not replaced:\n{lines}")]
    NotRestored {
        /// The service.
        service: String,
        /// What its program said.
        lines: String,
    },
    /// The process ended before it was ready.
    #[error("{service} exited at startup ({status}); last lines of {log}:\n{lines}")]
    Died {
        /// The service.
        service: String,
        /// How it ended.
        status: String,
        /// Its log file.
        log: PathBuf,
        /// The end of the log.
        lines: String,
    },
    /// The process runs but is not ready.
    #[error("{problem}; last lines of {log}:\n{lines}")]
    NotReady {
        /// What was waited for, and the last answer.
        problem: String,
        /// Its log file.
        log: PathBuf,
        /// The end of the log.
        lines: String,
    },
    /// A process could not be stopped.
    #[error("{service} (pid {pid}) did not stop, even after SIGKILL")]
    Unstoppable {
        /// The service.
        service: String,
        /// Its process id.
        pid: u32,
    },
}

impl LocalError {
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
