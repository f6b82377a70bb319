//! The SSH session, and the only user of ssh2.
//!
//! Input, output and errors of a command are transferred together without blocking: reading one
//! of them to its end first can deadlock, and writing all of the input hangs when the command
//! ends early.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Channel, CheckResult, KnownHostFileKind, MethodType, Session};

use super::command::{Command, More, Output, Prints, Progress};
use super::marker::{Gate, Marker};
use super::{Identity, Transport, TransportError, Trust, tunnel};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const HANDSHAKE_LIMIT_MS: u32 = 15_000;
/// After this long without an acknowledgement the host counts as gone.
const DEAD_AFTER_MS: u32 = 20_000;
/// Seconds between signs of life while a command is silent.
const KEEPALIVE: u32 = 5;
/// How long at most nothing is looked at while a command is silent.
const PAUSE: Duration = Duration::from_millis(250);
/// How much is sent at once.
const CHUNK: usize = 64 << 10;
/// How much of a command's output is kept: the last part.
const KEPT_BYTES: usize = 16 << 20;

/// Why a connection did not come about.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// The host may still be booting.
    NotYet(String),
    /// It is not the host that was meant; with its key's fingerprint.
    WrongHostKey(String),
    /// It does not let the user in.
    Denied(String),
}

/// A session that has proved who the host is and has logged in.
pub(super) struct Ssh {
    session: Session,
    socket: TcpStream,
}

impl Ssh {
    /// Connects once.
    pub(super) fn connect(
        address: SocketAddr,
        user: &str,
        identity: &Identity,
        trust: &Trust,
    ) -> Result<Self, ConnectError> {
        let not_yet = |error: io::Error| ConnectError::NotYet(error.to_string());
        let socket = TcpStream::connect_timeout(&address, CONNECT_LIMIT).map_err(not_yet)?;
        socket.set_nodelay(true).map_err(not_yet)?;
        rustix::net::sockopt::set_tcp_user_timeout(&socket, DEAD_AFTER_MS)
            .map_err(|error| not_yet(error.into()))?;
        let session = handshake(socket.try_clone().map_err(not_yet)?, trust)
            .map_err(|error| ConnectError::NotYet(error.to_string()))?;
        check_host_key(&session, address, trust)?;
        session
            .userauth_pubkey_memory(user, None, identity.private(), None)
            .map_err(|error| ConnectError::Denied(error.message().into()))?;
        session.set_keepalive(true, KEEPALIVE);
        session.set_timeout(HANDSHAKE_LIMIT_MS);
        Ok(Self { session, socket })
    }
}

fn handshake(socket: TcpStream, trust: &Trust) -> Result<Session, ssh2::Error> {
    let mut session = Session::new()?;
    session.set_timeout(HANDSHAKE_LIMIT_MS);
    if matches!(trust, Trust::Keys(_)) {
        // The keys to compare with are of this kind; the host must not offer another.
        session.method_pref(MethodType::HostKey, "ssh-ed25519")?;
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
    let (key, _) = session.host_key().ok_or(ConnectError::NotYet("it sent no host key".into()))?;
    let known = match trust {
        Trust::Keys(keys) => keys.iter().any(|known| base64(key) == *known),
        Trust::KnownHosts(file) => is_in_known_hosts(session, file, address, key),
    };
    if known { Ok(()) } else { Err(ConnectError::WrongHostKey(fingerprint(key))) }
}

fn is_in_known_hosts(session: &Session, file: &Path, address: SocketAddr, key: &[u8]) -> bool {
    let Ok(mut known) = session.known_hosts() else { return false };
    // A file that is not there knows nobody.
    let _ = known.read_file(file, KnownHostFileKind::OpenSSH);
    let check = known.check_port(&address.ip().to_string(), address.port(), key);
    matches!(check, CheckResult::Match)
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
        channel.exec(&marker.mark(command)).map_err(failed)?;
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
                "port {port} of the host cannot be reached ({}): see that the service runs, and \
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

#[expect(clippy::needless_pass_by_value, reason = "it is the end of the error's way")]
fn failed(error: ssh2::Error) -> TransportError {
    TransportError(format!("the connection failed: {}", error.message()))
}

/// Moves a command's input and output.
struct Pump<'a> {
    command: &'a Command,
    watch: &'a mut dyn FnMut(Progress),
    /// What is sent next, and what comes after it.
    input: Bytes,
    more: Option<Box<dyn Read + 'a>>,
    sent: usize,
    input_ended: bool,
    out_gate: Gate,
    err_gate: Gate,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Where the line that is being printed begins in `stdout`.
    line_start: usize,
}

impl<'a> Pump<'a> {
    fn new(
        command: &'a Command,
        marker: &Marker,
        watch: &'a mut dyn FnMut(Progress),
    ) -> Result<Self, TransportError> {
        let more: Option<Box<dyn Read>> = match &command.more {
            More::Nothing => None,
            More::File(path) => {
                let opened = File::open(path);
                let failed = |e| TransportError(format!("{}: {e}", path.display()));
                Some(Box::new(opened.map_err(failed)?))
            }
            More::Pipe(pipe) => Some(Box::new(&**pipe)),
        };
        Ok(Self {
            command,
            watch,
            input: command.stdin.clone(),
            more,
            sent: 0,
            input_ended: false,
            out_gate: marker.gate(),
            err_gate: marker.gate(),
            stdout: Vec::new(),
            stderr: Vec::new(),
            line_start: 0,
        })
    }

    /// Works until the command has closed its output.
    fn run(
        &mut self,
        session: &Session,
        socket: BorrowedFd<'_>,
        channel: &mut Channel,
    ) -> Result<(), TransportError> {
        let start = Instant::now();
        loop {
            let moved = self.write(channel)? | self.read(channel)?;
            if channel.eof() && !moved {
                return Ok(());
            }
            if start.elapsed() > self.command.limit {
                let seconds = self.command.limit.as_secs();
                return Err(TransportError(format!("it did not end within {seconds} s")));
            }
            if !moved {
                wait(session, socket)?;
            }
        }
    }

    /// Sends some input; true where something was sent.
    fn write(&mut self, channel: &mut Channel) -> Result<bool, TransportError> {
        if self.input_ended {
            return Ok(false);
        }
        if self.input.is_empty() {
            self.refill()?;
        }
        if self.input.is_empty() {
            return match channel.send_eof().map_err(io::Error::from) {
                Ok(()) => {
                    self.input_ended = true;
                    Ok(true)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
                Err(error) => self.write_failed(channel, &error),
            };
        }
        match channel.write(&self.input[..self.input.len().min(CHUNK)]) {
            Ok(count) => {
                self.input.advance(count);
                self.sent += count;
                (self.watch)(Progress::Sent(self.sent));
                Ok(count > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => self.write_failed(channel, &error),
        }
    }

    /// Reads some more of what is to be sent. A pipe is waited for: there is nothing else
    /// to do until something comes.
    fn refill(&mut self) -> Result<(), TransportError> {
        let Some(more) = &mut self.more else { return Ok(()) };
        let mut chunk = vec![0; CHUNK];
        let count = more.read(&mut chunk).map_err(|e| TransportError(e.to_string()))?;
        chunk.truncate(count);
        self.input = chunk.into();
        Ok(())
    }

    /// A command that has ended reads no more; its status says whether that was wrong.
    fn write_failed(
        &mut self,
        channel: &Channel,
        error: &io::Error,
    ) -> Result<bool, TransportError> {
        if channel.eof() {
            self.input_ended = true;
            return Ok(true);
        }
        Err(TransportError(format!("the connection failed: {error}")))
    }

    /// Takes some output; true where something came.
    fn read(&mut self, channel: &mut Channel) -> Result<bool, TransportError> {
        let out = read_some(channel, &mut self.out_gate, &mut self.stdout)?;
        let known = self.stderr.len();
        let err = read_some(&mut channel.stderr(), &mut self.err_gate, &mut self.stderr)?;
        match &self.command.prints {
            Prints::Kept if out => self.tell_lines(),
            Prints::Kept => {}
            Prints::HandedOver => {
                if !self.stdout.is_empty() {
                    (self.watch)(Progress::Output(std::mem::take(&mut self.stdout).into()));
                }
                if self.stderr.len() > known {
                    (self.watch)(Progress::Complaint(self.stderr[known..].to_vec().into()));
                }
            }
            Prints::Piped(pipe) => {
                let written = (&**pipe).write_all(&std::mem::take(&mut self.stdout));
                let gone = |error| TransportError(format!("nobody takes its output: {error}"));
                written.map_err(gone)?;
            }
        }
        for kept in [&mut self.stdout, &mut self.stderr] {
            if kept.len() > 2 * KEPT_BYTES {
                let dropped = kept.len() - KEPT_BYTES;
                kept.drain(..dropped);
                self.line_start = self.line_start.saturating_sub(dropped);
            }
        }
        Ok(out || err)
    }

    fn tell_lines(&mut self) {
        while let Some(length) = self.stdout[self.line_start..].iter().position(|b| *b == b'\n') {
            let line = &self.stdout[self.line_start..self.line_start + length];
            (self.watch)(Progress::Line(String::from_utf8_lossy(line).trim().into()));
            self.line_start += length + 1;
        }
    }

    /// What the command printed. Where it was never run, what the host printed instead is
    /// the error: a forced command or a closed account says why.
    fn finish(self) -> Result<(String, String), TransportError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if self.out_gate.is_open() {
            return Ok((text(&self.stdout), text(&self.stderr)));
        }
        let (stdout, stderr) = (text(self.out_gate.before()), text(self.err_gate.before()));
        let instead = Output { stdout, stderr, ..Output::default() }.last_lines();
        Err(TransportError(format!("the host did not run the command; it printed:\n{instead}")))
    }
}

/// Reads some of a stream; true where something came.
fn read_some(
    from: &mut impl Read,
    gate: &mut Gate,
    to: &mut Vec<u8>,
) -> Result<bool, TransportError> {
    let mut buffer = [0; 16 << 10];
    match from.read(&mut buffer) {
        Ok(count) => {
            gate.pass(&buffer[..count], to);
            Ok(count > 0)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(TransportError(format!("the connection failed: {error}"))),
    }
}

/// Waits until the connection has something to do, and keeps it alive.
fn wait(session: &Session, socket: BorrowedFd<'_>) -> Result<(), TransportError> {
    wait_for(session, socket, &mut [])
}

/// Waits until the connection or one of the others has something to do.
pub(super) fn wait_for(
    session: &Session,
    socket: BorrowedFd<'_>,
    others: &mut [PollFd<'_>],
) -> Result<(), TransportError> {
    match session.keepalive_send().map_err(io::Error::from) {
        Ok(_) => {}
        // The next round tries again; it is no more than a sign of life.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(_) => return Err(TransportError("the host does not answer any more".into())),
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

fn base64(key: &[u8]) -> String {
    ssh_key::PublicKey::from_bytes(key)
        .and_then(|key| key.to_openssh())
        .ok()
        .and_then(|line| line.split(' ').nth(1).map(|text| text.trim().to_owned()))
        .unwrap_or_default()
}

fn fingerprint(key: &[u8]) -> String {
    ssh_key::PublicKey::from_bytes(key).map_or_else(
        |_| "of an unknown kind".into(),
        |key| key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
    )
}
