//! Separates the output of a command from what the host's login shell prints before it.
//!
//! sshd has the user's shell run every command, and a shell reads start-up files: with
//! `echo hello` in `.bashrc`, each command's output begins with a greeting. The command is
//! therefore sent behind one that prints a random marker, and only what follows the
//! marker counts.

use support::digest::hexadecimal;

use super::command::{Command, Shell, quote};

/// How much of what comes before the marker is kept for an error.
const KEPT_BYTES: usize = 64 << 10;

/// Root needs no `sudo`, and minimal systems have none.
const SUDO_OF_ROOT: &str = "command -v sudo >/dev/null || sudo() { \"$@\"; }; ";

/// What a command's output begins with.
#[derive(Debug)]
pub(super) struct Marker {
    first: String,
    second: String,
}

/// Passes output on once the marker has come.
#[derive(Debug)]
pub(super) struct Gate {
    /// The marker's line; empty once it has come.
    marker: Vec<u8>,
    before: Vec<u8>,
}

impl Marker {
    pub(super) fn new() -> Self {
        let half = || hexadecimal(&rand_bytes());
        Self { first: half(), second: half() }
    }

    /// The line to send for a command, which root may run.
    pub(super) fn mark(&self, command: &Command, is_root: bool) -> String {
        let Self { first, second } = self;
        // In two halves: a shell that echoes its commands (`set -x`) does not print the whole.
        let print = format!("printf '%s%s\\n' {first} {second}");
        let print = format!("{print}; {print} >&2");
        match command.shell {
            // `exec` keeps the login shell from adding something at its end.
            Shell::Posix => {
                let sudo = if is_root { SUDO_OF_ROOT } else { "" };
                format!("exec sh -c {}", quote(&format!("{print}; {sudo}{}", command.line)))
            }
            // Any login shell understands this.
            Shell::Login => format!("sh -c {}; {}", quote(&print), command.line),
        }
    }

    pub(super) fn gate(&self) -> Gate {
        let marker = format!("{}{}\n", self.first, self.second).into_bytes();
        Gate { marker, before: Vec::new() }
    }
}

impl Gate {
    /// Whether the marker has come: the command was run.
    pub(super) fn is_open(&self) -> bool {
        self.marker.is_empty()
    }

    /// Takes a chunk of output, and adds to `out` what belongs to the command.
    pub(super) fn pass(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if self.is_open() {
            out.extend_from_slice(chunk);
            return;
        }
        // The first part of the marker may be in an earlier chunk.
        let from = self.before.len().saturating_sub(self.marker.len());
        self.before.extend_from_slice(chunk);
        let mut windows = self.before[from..].windows(self.marker.len());
        if let Some(at) = windows.position(|window| window == self.marker) {
            let end = from + at + self.marker.len();
            out.extend_from_slice(&self.before[end..]);
            self.marker.clear();
            self.before.clear();
        } else if self.before.len() > 2 * KEPT_BYTES {
            self.before.drain(..self.before.len() - KEPT_BYTES);
        }
    }

    /// What came instead of the marker.
    pub(super) fn before(&self) -> &[u8] {
        &self.before
    }
}

fn rand_bytes() -> [u8; 8] {
    let mut bytes = [0; 8];
    // Without random numbers there is no SSH either.
    getrandom::fill(&mut bytes).expect("the system provides random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a login shell's output comes to, in chunks of a size.
    fn seen(marker: &Marker, line: &str, size: usize) -> String {
        let run = std::process::Command::new("bash").args(["-c", line]).output().unwrap();
        let (mut gate, mut out) = (marker.gate(), Vec::new());
        run.stdout.chunks(size).for_each(|chunk| gate.pass(chunk, &mut out));
        assert!(gate.is_open());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_greeting_is_no_output() {
        for greeting in ["echo hello", "printf 'no line end'", "set -x", "seq 100000", ":"] {
            for shell in [Shell::Posix, Shell::Login] {
                let marker = Marker::new();
                let mut command = Command::new("echo \"it's\" 'the output'");
                command.shell = shell;
                let line = format!("{greeting}\n{}", marker.mark(&command, false));
                for size in [1, 7, 4096] {
                    assert_eq!(seen(&marker, &line, size), "it's the output\n", "{greeting}");
                }
            }
        }
    }

    #[test]
    fn root_needs_no_sudo() {
        let marker = Marker::new();
        let line = marker.mark(&Command::new("sudo printf '%s\\n' 'a b'"), true);
        // A system without sudo.
        let line = format!("PATH=/nowhere; {}", line.replace("exec sh", "exec /bin/sh"));
        assert_eq!(seen(&marker, &line, 4096), "a b\n");
    }

    #[test]
    fn nothing_is_added_at_the_end() {
        let marker = Marker::new();
        let line =
            format!("trap 'echo goodbye' EXIT; {}", marker.mark(&Command::new("echo out"), false));
        assert_eq!(seen(&marker, &line, 4096), "out\n");
    }

    #[test]
    fn without_the_marker_nothing_passes_and_the_end_is_kept() {
        let (mut gate, mut out) = (Marker::new().gate(), Vec::new());
        gate.pass(&vec![b'x'; 3 * KEPT_BYTES], &mut out);
        gate.pass(b"please log in as ubuntu\n", &mut out);
        assert!(!gate.is_open() && out.is_empty());
        assert!(gate.before().ends_with(b"please log in as ubuntu\n"));
        assert!(gate.before().len() <= 2 * KEPT_BYTES);
    }
}
