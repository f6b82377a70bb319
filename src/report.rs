//! Prints results to standard output: tables for people, JSON for programs. Nothing else is
//! written there.

mod layout;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::Output;
use crate::error::Error;
use crate::terminal;

/// The text of a cell without a value.
const NOTHING: &str = "-";

/// A result that can be shown as a table.
pub trait Table: Serialize {
    /// The columns' headings.
    const HEADINGS: &'static [&'static str];

    /// The cells, one for each heading.
    fn cells(&self) -> Vec<Cell>;
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Plain text; a dash if there is none.
    pub fn text(text: Option<impl ToString>) -> Self {
        let text = text.map_or_else(|| NOTHING.into(), |text| shown(&text.to_string()));
        Self { text, style: Style::new() }
    }

    /// A word, green if `ok` and else red.
    pub fn verdict(text: &str, ok: bool) -> Self {
        let colour = if ok { AnsiColor::Green } else { AnsiColor::Red };
        Self { text: shown(text), style: colour.on_default() }
    }
}

/// A cell is one line without control characters, whatever a service or a host wrote.
fn shown(text: &str) -> String {
    terminal::escape_line(text).into_owned()
}

/// Prints rows in the form that was asked for. Colours appear on a terminal only, and
/// not if `NO_COLOR` is set.
pub fn print<T: Table>(rows: &[T], output: Output) -> Result<(), Error> {
    let text = match output {
        Output::Text => layout::table(rows, layout::terminal_width()),
        Output::Json => return json(&rows),
    };
    write(&text)
}

/// Prints a result that is no table as JSON.
pub fn json(result: &impl Serialize) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(result).map_err(io::Error::from);
    write(&(terminal::escape_json(json.map_err(Error::Output)?) + "\n"))
}

/// Prints text, of one line or several.
pub fn line(text: &str) -> Result<(), Error> {
    write(&format!("{}\n", terminal::escape(text)))
}

/// Prints an empty line between two tables.
pub fn gap() -> Result<(), Error> {
    write("\n")
}

fn write(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // A reader such as `head` has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::Output),
    }
}
