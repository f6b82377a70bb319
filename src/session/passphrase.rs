//! Asks for the passphrase of a key on the terminal, without showing it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::terminal::escape;

/// The terminal's settings, put back when this is dropped.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Hidden<'a> {
    /// Has a terminal show nothing of what is typed.
    fn new(terminal: &'a File) -> rustix::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
        let _ = writeln!(self.terminal);
    }
}

/// The passphrase that the user types; `None` without a terminal.
pub(super) fn ask(path: &Path) -> Option<String> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
    let shown = path.display().to_string();
    write!(terminal, "Passphrase of {}: ", escape(&shown)).ok()?;
    let _hidden = Hidden::new(&terminal).ok()?;
    let mut line = String::new();
    BufReader::new(&terminal).read_line(&mut line).ok()?;
    let typed = line.trim_end_matches(['\r', '\n']);
    (!typed.is_empty()).then(|| typed.to_owned())
}
