//! A session of the SSH library: connecting, the host's key, and the [`Transport`] over it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ssh2::{MethodType, Session};

use super::command::{Command, Output, Progress};
use super::known_hosts::{self, KnownHost, base64, fingerprint};
use super::marker::Marker;
use super::pump::Pump;
use super::{Identity, Transport, TransportError, Trust, tunnel};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const HANDSHAKE_TIMEOUT_MS: u32 = 15_000;
/// A host that acknowledges nothing for this long is taken for unreachable.
const DEAD_AFTER_MS: u32 = 20_000;
/// Seconds between keepalives while a command is silent.
const KEEPALIVE: u32 = 5;

/// Why connecting failed.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// The host may still be booting.
    Retryable(String),
    /// Another host answers; with the fingerprint of its key.
    WrongHostKey(String),
    /// Its key was revoked; with the fingerprint.
    RevokedHostKey(String),
    /// It refuses the user or the key.
    Denied(String),
}

/// A session that is logged in to a host that has proved who it is.
pub(super) struct Ssh {
    session: Session,
    socket: TcpStream,
    is_root: bool,
}

impl Ssh {
    /// Connects once.
    pub(super) fn connect(
        address: SocketAddr,
        user: &str,
        identity: &Identity,
        trust: &Trust,
    ) -> Result<Self, ConnectError> {
        let not_yet = |error: io::Error| ConnectError::Retryable(error.to_string());
        let socket = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(not_yet)?;
        socket.set_nodelay(true).map_err(not_yet)?;
        rustix::net::sockopt::set_tcp_user_timeout(&socket, DEAD_AFTER_MS)
            .map_err(|error| not_yet(error.into()))?;
        let session = handshake(socket.try_clone().map_err(not_yet)?, address, trust)
            .map_err(|error| ConnectError::Retryable(error.to_string()))?;
        check_host_key(&session, address, trust)?;
        identity.log_in(&session, user).map_err(ConnectError::Denied)?;
        session.set_keepalive(true, KEEPALIVE);
        session.set_timeout(HANDSHAKE_TIMEOUT_MS);
        Ok(Self { session, socket, is_root: user == "root" })
    }
}

fn handshake(
    socket: TcpStream,
    address: SocketAddr,
    trust: &Trust,
) -> Result<Session, ssh2::Error> {
    let mut session = Session::new()?;
    session.set_timeout(HANDSHAKE_TIMEOUT_MS);
    let kinds = match trust {
        // The pinned keys are of this kind; the host must not offer another.
        Trust::Keys(_) => vec!["ssh-ed25519"],
        Trust::KnownHosts(file) => known_hosts::kinds(&session, file, address),
    };
    if !kinds.is_empty() {
        session.method_pref(MethodType::HostKey, &kinds.join(","))?;
    }
    session.set_tcp_stream(socket);
    session.handshake()?;
    Ok(session)
}

fn check_host_key(
    session: &Session,
    address: SocketAddr,
    trust: &Trust,
) -> Result<(), ConnectError> {
    let (key, _) =
        session.host_key().ok_or(ConnectError::Retryable("it sent no host key".into()))?;
    let known = match trust {
        Trust::Keys(keys) if keys.iter().any(|known| base64(key) == *known) => KnownHost::Trusted,
        Trust::Keys(_) => KnownHost::Unknown,
        Trust::KnownHosts(file) => known_hosts::look_up(session, file, address, key),
    };
    match known {
        KnownHost::Trusted => Ok(()),
        KnownHost::Unknown => Err(ConnectError::WrongHostKey(fingerprint(key))),
        KnownHost::Revoked => Err(ConnectError::RevokedHostKey(fingerprint(key))),
    }
}

impl Transport for Ssh {
    fn exec(
        &mut self,
        command: &Command,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Output, TransportError> {
        self.session.set_blocking(true);
        let mut channel = self.session.channel_session().map_err(failed)?;
        let marker = Marker::new();
        channel.exec(&marker.mark(command, self.is_root)).map_err(failed)?;
        self.session.set_blocking(false);
        let mut pump = Pump::new(command, &marker, watch)?;
        pump.run(&self.session, self.socket.as_fd(), &mut channel)?;
        self.session.set_blocking(true);
        let (stdout, stderr) = pump.finish()?;
        // A command that was killed has a signal, and then a status of 0 that means nothing.
        channel.close().and_then(|()| channel.wait_close()).map_err(failed)?;
        let signal = channel.exit_signal().map_err(failed)?.exit_signal;
        let code = channel.exit_status().map_err(failed)?;
        Ok(Output { code, signal, stdout, stderr })
    }

    fn tunnel(
        &mut self,
        port: u16,
        stream: UnixStream,
        opened: &mut dyn FnMut(),
    ) -> Result<(), TransportError> {
        self.session.set_blocking(true);
        let channel = self.session.channel_direct_tcpip("127.0.0.1", port, None);
        let channel = channel.map_err(|error| {
            TransportError(format!(
                "port {port} of the host cannot be reached ({}): check that the service runs, and \
                 that the host's sshd has AllowTcpForwarding on",
                error.message()
            ))
        })?;
        opened();
        self.session.set_blocking(false);
        let moved = tunnel::run(&self.session, self.socket.as_fd(), channel, &stream);
        self.session.set_blocking(true);
        moved
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: ssh2::Error) -> TransportError {
    TransportError(format!("the connection failed: {}", error.message()))
}
