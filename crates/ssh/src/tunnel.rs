//! Moves bytes between a stream of this machine and a channel of an SSH connection.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use ssh2::{Channel, Session};

use super::TransportError;
use super::poll::wait_for;

/// Requests have shorter timeouts.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// How much is read at once, and at most waits to be written.
const CHUNK: usize = 16 << 10;

/// Bytes on their way in one direction.
struct Lane {
    waiting: Vec<u8>,
    /// Whether reading nothing is the end. A channel may also read nothing in between.
    ends_with_nothing: bool,
    /// There is nothing more to read.
    ended: bool,
}

/// Moves bytes until either side closes. The session must not block.
pub(super) fn run(
    session: &Session,
    socket: BorrowedFd<'_>,
    mut channel: Channel,
    stream: &UnixStream,
) -> Result<(), TransportError> {
    stream.set_nonblocking(true).map_err(|error| failed(&error))?;
    let (mut out, mut back) = (Lane::new(true), Lane::new(false));
    let mut last_moved = Instant::now();
    loop {
        let mut near = stream;
        let moved = out.pass(&mut near, &mut channel)? | back.pass(&mut channel, &mut near)?;
        back.ended |= channel.eof() && !moved;
        // The user of the stream has its answer, or has left.
        if out.ended || back.ended && back.waiting.is_empty() {
            let _ = stream.shutdown(Shutdown::Both);
            return close(session, &mut channel);
        }
        if moved {
            last_moved = Instant::now();
            continue;
        }
        if last_moved.elapsed() > IDLE_TIMEOUT {
            return Err(TransportError("nothing was transferred for two minutes".into()));
        }
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, out.waiting.is_empty());
        flags.set(PollFlags::OUT, !back.waiting.is_empty());
        let near = PollFd::from_borrowed_fd(stream.as_fd(), flags);
        // Without flags, poll would return at once to say that its user has left.
        let others = if flags.is_empty() { &mut [][..] } else { &mut [near][..] };
        wait_for(session, socket, others)?;
    }
}

/// Closes the channel, without waiting for the host to close its side.
fn close(session: &Session, channel: &mut Channel) -> Result<(), TransportError> {
    session.set_blocking(true);
    channel.close().map_err(|error| TransportError(error.message().into()))
}

impl Lane {
    fn new(ends_with_nothing: bool) -> Self {
        Self { waiting: Vec::new(), ends_with_nothing, ended: false }
    }

    /// Reads some bytes if none wait, and writes some; true if any moved.
    fn pass(&mut self, from: &mut impl Read, to: &mut impl Write) -> Result<bool, TransportError> {
        let mut moved = false;
        if self.waiting.is_empty() && !self.ended {
            let mut buffer = [0; CHUNK];
            match from.read(&mut buffer) {
                Ok(0) => self.ended = self.ends_with_nothing,
                Ok(count) => {
                    self.waiting.extend_from_slice(&buffer[..count]);
                    moved = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The user has left.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.ended = true,
                Err(error) => return Err(failed(&error)),
            }
        }
        if !self.waiting.is_empty() {
            match to.write(&self.waiting) {
                Ok(count) => {
                    self.waiting.drain(..count);
                    moved |= count > 0;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Nobody reads the rest.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    self.waiting.clear();
                    self.ended = true;
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(moved)
    }
}

fn failed(error: &io::Error) -> TransportError {
    TransportError(format!("the connection failed: {error}"))
}
