//! Sets up the process's resource limits and signals when a service starts.

use std::io;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// File descriptors that are not for connections of clients: the store and its backups, the
/// runtime, connections that are being refused.
const OTHER_FILES: u64 = 512;

/// Raises the limit on open files as far as the system allows, and returns for how many
/// connections it is enough.
pub fn room_for_connections() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, ..limit };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    let files = limit.current.unwrap_or(u64::MAX);
    let room = if files > 2 * OTHER_FILES { files - OTHER_FILES } else { files / 2 };
    usize::try_from(room).unwrap_or(usize::MAX)
}

/// Makes a write beyond the limit on file sizes fail like one to a full disk, instead of
/// terminating the process.
pub(crate) fn survive_file_size_limit() -> io::Result<()> {
    // The handler stays installed for the life of the process, even though nobody listens.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}
