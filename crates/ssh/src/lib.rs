//! Hosts that are reached over SSH. A [`Host`] is a cloneable handle to one session, which
//! lives in a thread of its own because the SSH library blocks.

mod agent;
mod command;
mod connect;
mod error;
mod host;
mod identity;
mod key_file;
mod known_hosts;
mod marker;
mod poll;
mod pump;
mod ssh;
mod tunnel;

use std::os::unix::net::UnixStream;

/// The version of OpenSSL that is linked.
pub const OPENSSL_VERSION: &str = env!("OPENSSL_VERSION");
/// The version of libssh2 that is linked.
pub const LIBSSH2_VERSION: &str = env!("LIBSSH2_VERSION");

pub use command::{Command, Input, Output, OutputMode, Progress, Shell, quote};
pub use connect::{Target, connect};
pub use error::{HostError, TransportError};
pub use host::{Host, HostPort};
pub use identity::{AskPassphrase, Identity, IdentityError, Trust};

/// Runs commands on a host, one after the other; blocking.
pub trait Transport: Send + 'static {
    /// Runs a command until it ends or its timeout is over.
    fn exec(
        &mut self,
        command: &Command,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Output, TransportError>;

    /// Connects to a port of the host itself, calls `opened`, and moves bytes between the port
    /// and `stream` until either side closes.
    fn tunnel(
        &mut self,
        port: u16,
        stream: UnixStream,
        opened: &mut dyn FnMut(),
    ) -> Result<(), TransportError>;
}
