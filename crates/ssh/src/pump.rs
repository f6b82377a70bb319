//! Transfers the input and the output of a command.
//!
//! Input, standard output and standard error are transferred together without blocking: reading
//! one of them to its end first can deadlock, and writing all of the input hangs when the command
//! ends early.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::time::Instant;

use bytes::{Buf, Bytes};
use ssh2::{Channel, Session};

use super::TransportError;
use super::command::{Command, Input, Output, OutputMode, Progress};
use super::marker::{Gate, Marker};
use super::poll::wait_for;

/// How much is sent at once.
const CHUNK: usize = 64 << 10;
/// How much of a command's output is kept: the last part.
const KEPT_BYTES: usize = 16 << 20;

/// The transfer of one command's input and output.
pub(super) struct Pump<'a> {
    command: &'a Command,
    watch: &'a mut dyn FnMut(Progress),
    /// What is sent next, and where the rest is read from.
    input: Bytes,
    rest: Option<Box<dyn Read + 'a>>,
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
    pub(super) fn new(
        command: &'a Command,
        marker: &Marker,
        watch: &'a mut dyn FnMut(Progress),
    ) -> Result<Self, TransportError> {
        let rest: Option<Box<dyn Read>> = match &command.rest {
            Input::Nothing => None,
            Input::File(path) => {
                let opened = File::open(path);
                let failed = |e| TransportError(format!("{}: {e}", path.display()));
                Some(Box::new(opened.map_err(failed)?))
            }
            Input::Pipe(pipe) => Some(Box::new(&**pipe)),
        };
        Ok(Self {
            command,
            watch,
            input: command.stdin.clone(),
            rest,
            sent: 0,
            input_ended: false,
            out_gate: marker.gate(),
            err_gate: marker.gate(),
            stdout: Vec::new(),
            stderr: Vec::new(),
            line_start: 0,
        })
    }

    /// Transfers until the command has closed its output.
    pub(super) fn run(
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
            if start.elapsed() > self.command.timeout {
                let seconds = self.command.timeout.as_secs();
                return Err(TransportError(format!("it did not end within {seconds} s")));
            }
            if !moved {
                wait_for(session, socket, &mut [])?;
            }
        }
    }

    /// Sends some input; true if something was sent.
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

    /// Reads the next part of the input. Blocks while a pipe is empty: there is nothing else to
    /// do until then.
    fn refill(&mut self) -> Result<(), TransportError> {
        let Some(rest) = &mut self.rest else { return Ok(()) };
        let mut chunk = vec![0; CHUNK];
        let count = rest.read(&mut chunk).map_err(|e| TransportError(e.to_string()))?;
        chunk.truncate(count);
        self.input = chunk.into();
        Ok(())
    }

    /// A command that has ended reads no more; its exit status says whether it failed.
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

    /// Reads some output; true if something came.
    fn read(&mut self, channel: &mut Channel) -> Result<bool, TransportError> {
        let out = read_some(channel, &mut self.out_gate, &mut self.stdout)?;
        let known = self.stderr.len();
        let err = read_some(&mut channel.stderr(), &mut self.err_gate, &mut self.stderr)?;
        match &self.command.output {
            OutputMode::Captured if out => self.report_lines(),
            OutputMode::Captured => {}
            OutputMode::Streamed => {
                if !self.stdout.is_empty() {
                    (self.watch)(Progress::Stdout(std::mem::take(&mut self.stdout).into()));
                }
                if self.stderr.len() > known {
                    (self.watch)(Progress::Stderr(self.stderr[known..].to_vec().into()));
                }
            }
            OutputMode::Piped(pipe) => {
                let written = (&**pipe).write_all(&std::mem::take(&mut self.stdout));
                let failed =
                    |error| TransportError(format!("its output cannot be passed on: {error}"));
                written.map_err(failed)?;
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

    fn report_lines(&mut self) {
        while let Some(length) = self.stdout[self.line_start..].iter().position(|b| *b == b'\n') {
            let line = &self.stdout[self.line_start..self.line_start + length];
            (self.watch)(Progress::Line(String::from_utf8_lossy(line).trim().into()));
            self.line_start += length + 1;
        }
    }

    /// Standard output and standard error of the command. If it was never run, what the host
    /// printed instead is the error: a forced command or a closed account says why.
    pub(super) fn finish(self) -> Result<(String, String), TransportError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if self.out_gate.is_open() {
            return Ok((text(&self.stdout), text(&self.stderr)));
        }
        let (stdout, stderr) = (text(self.out_gate.before()), text(self.err_gate.before()));
        let instead = Output { stdout, stderr, ..Output::default() }.last_lines();
        Err(TransportError(format!("the host did not run the command; it printed:\n{instead}")))
    }
}

/// Reads some of a stream; true if something came.
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
