//! Prints results to standard output: tables for people, JSON for programs. Nothing else is
//! written there.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::Output;
use crate::error::Error;
use crate::terminal;

/// What stands in a cell without a value.
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
    /// Plain text; a dash where there is none.
    pub fn text(text: Option<impl ToString>) -> Self {
        let text = text.map_or_else(|| NOTHING.into(), |text| shown(&text.to_string()));
        Self { text, style: Style::new() }
    }

    /// A word that is green when all is well and red when not.
    pub fn verdict(text: &str, well: bool) -> Self {
        let colour = if well { AnsiColor::Green } else { AnsiColor::Red };
        Self { text: shown(text), style: colour.on_default() }
    }
}

/// A cell is one line, whatever a service or a host has put into its text.
fn shown(text: &str) -> String {
    terminal::escape_line(text).into_owned()
}

/// Prints rows in the form that was asked for. Colours appear on a terminal only, and
/// not where `NO_COLOR` is set.
pub fn print<T: Table>(rows: &[T], output: Output) -> Result<(), Error> {
    let text = match output {
        Output::Text => table(rows),
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
        // A reader like `head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::Output),
    }
}

/// Lays out the rows in columns; one that has nothing in any row is left out.
fn table<T: Table>(rows: &[T]) -> String {
    let bold = Style::new().bold();
    let rows: Vec<_> = rows.iter().map(Table::cells).collect();
    let is_used = |n: &usize| rows.is_empty() || rows.iter().any(|cells| cells[*n].text != NOTHING);
    let used: Vec<_> = (0..T::HEADINGS.len()).filter(is_used).collect();
    let headings = T::HEADINGS.iter().map(|text| Cell { text: (*text).into(), style: bold });
    let mut lines = vec![headings.collect::<Vec<_>>()];
    lines.extend(rows.iter().cloned());
    let width = |n: usize| lines.iter().map(|cells| cells[n].text.chars().count()).max();
    let line = |cells: &Vec<Cell>| {
        let padded = used.iter().map(|&n| {
            let Cell { text, style } = &cells[n];
            // No blanks at the end of a line.
            let width = if Some(&n) == used.last() { 0 } else { width(n).unwrap_or(0) };
            let blanks = " ".repeat(width.saturating_sub(text.chars().count()));
            format!("{style}{text}{style:#}{blanks}")
        });
        padded.collect::<Vec<_>>().join("  ") + "\n"
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Row(&'static str, Option<u64>, Option<u64>);

    impl Table for Row {
        const HEADINGS: &'static [&'static str] = &["NAME", "COUNT", "PROBLEM"];

        fn cells(&self) -> Vec<Cell> {
            vec![Cell::text(Some(self.0)), Cell::text(self.1), Cell::text(self.2)]
        }
    }

    #[test]
    fn columns_are_aligned_and_those_without_a_value_left_out() {
        let rows = [Row("a", Some(1), None), Row("longer", None, None)];
        let plain = anstream::adapter::strip_str(&table(&rows)).to_string();
        assert_eq!(plain, "NAME    COUNT\na       1\nlonger  -\n");
    }

    #[test]
    fn a_cell_is_one_line_that_commands_no_terminal() {
        let rows = [Row("a\u{1b}[2J\nb", Some(1), None)];
        let plain = anstream::adapter::strip_str(&table(&rows)).to_string();
        assert_eq!(plain, "NAME           COUNT\na\\u{1b}[2J\\nb  1\n");
    }
}
