//! Waits until a connection has something to do.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Session};

use super::TransportError;

/// The longest pause between two looks at a silent connection.
const PAUSE: Duration = Duration::from_millis(250);

/// Waits until the connection or one of the others has something to do.
pub(super) fn wait_for(
    session: &Session,
    socket: BorrowedFd<'_>,
    others: &mut [PollFd<'_>],
) -> Result<(), TransportError> {
    match session.keepalive_send().map_err(io::Error::from) {
        Ok(_) => {}
        // The next round sends it.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(_) => return Err(TransportError("the host no longer answers".into())),
    }
    let flags = match session.block_directions() {
        BlockDirections::Outbound => PollFlags::OUT,
        BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
        BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
    };
    let pause = Timespec::try_from(PAUSE).ok();
    let mut waited: Vec<_> = vec![PollFd::from_borrowed_fd(socket, flags)];
    waited.extend(others.iter().cloned());
    match poll(&mut waited, pause.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(TransportError(format!("the connection failed: {error}"))),
    }
}
