//! Sets up the process's resource limits and signals when a service starts.

use std::io;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// File descriptors for other things than connections: the log and its copies, the
/// runtime, what comes in the backlog of a refusal.
const OTHER_FILES: u64 = 512;

/// Raises the limit on open files as far as the system lets us, and returns how many
/// connections that is enough for.
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

/// Makes a write beyond the limit on file sizes fail like one to a full disk, instead
/// of ending the process.
pub(crate) fn survive_file_size_limit() -> io::Result<()> {
    // The handler stays for the life of the process, though nobody listens.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}
