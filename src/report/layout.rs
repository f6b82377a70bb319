//! Lays out tables in columns that fit the terminal.

use std::fmt::Write;

use anstyle::Style;

use super::{Cell, NOTHING, Table};

/// What stands between two columns.
const GAP: &str = "  ";

/// The width of standard output in columns, if it is a terminal.
pub(super) fn terminal_width() -> Option<usize> {
    let terminal = console::Term::stdout();
    let size = terminal.is_term().then(|| terminal.size_checked())?;
    size.map(|(_, columns)| usize::from(columns))
}

/// Lays out the rows in columns; one that has nothing in any row is left out. If they are
/// wider than `limit`, the widest columns wrap between words: an id or a URL stays whole.
pub(super) fn table<T: Table>(rows: &[T], limit: Option<usize>) -> String {
    let bold = Style::new().bold();
    let rows: Vec<_> = rows.iter().map(Table::cells).collect();
    let is_used = |n: &usize| rows.is_empty() || rows.iter().any(|cells| cells[*n].text != NOTHING);
    let used: Vec<_> = (0..T::HEADINGS.len()).filter(is_used).collect();
    let headings = T::HEADINGS.iter().map(|text| Cell { text: (*text).into(), style: bold });
    let mut lines = vec![headings.collect::<Vec<_>>()];
    lines.extend(rows);
    let columns = used.iter().map(|&n| lines.iter().map(|cells| cells[n].clone()).collect());
    let columns: Vec<Vec<Cell>> = columns.collect();
    let widths = widths(&columns, limit);
    (0..lines.len()).map(|row| row_text(&columns, &widths, row)).collect()
}

/// The width of each column.
fn widths(columns: &[Vec<Cell>], limit: Option<usize>) -> Vec<usize> {
    let widest = |cells: &Vec<Cell>| cells.iter().map(|cell| length(&cell.text)).max();
    let mut widths: Vec<_> = columns.iter().map(|cells| widest(cells).unwrap_or(0)).collect();
    let Some(limit) = limit else { return widths };
    let words = |cells: &Vec<Cell>| {
        cells.iter().flat_map(|cell| cell.text.split(' ')).map(length).max().unwrap_or(0)
    };
    let shortest: Vec<_> = columns.iter().map(words).collect();
    let gaps = GAP.len() * columns.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > limit {
        let can_shrink = (0..widths.len()).filter(|&n| widths[n] > shortest[n]);
        let Some(widest) = can_shrink.max_by_key(|&n| widths[n]) else { break };
        widths[widest] -= 1;
    }
    widths
}

/// The text of a row, on several lines if a cell is wider than its column.
fn row_text(columns: &[Vec<Cell>], widths: &[usize], row: usize) -> String {
    let wrapped: Vec<_> =
        columns.iter().zip(widths).map(|(cells, &width)| wrap(&cells[row].text, width)).collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for n in 0..height {
        // No blanks at the end of a line.
        let Some(last) = wrapped.iter().rposition(|lines| lines.len() > n) else { continue };
        for (column, lines) in wrapped.iter().enumerate().take(last + 1) {
            let part = lines.get(n).map_or("", String::as_str);
            let style = if part.is_empty() { Style::new() } else { columns[column][row].style };
            let _ = write!(text, "{style}{part}{style:#}");
            if column < last {
                let blanks = widths[column] - length(part);
                let _ = write!(text, "{:blanks$}{GAP}", "");
            }
        }
        text.push('\n');
    }
    text
}

/// The text in lines of at most `width` characters, broken between words.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (n, word) in text.split(' ').enumerate() {
        let line = lines.last_mut().expect("there is a line");
        if n > 0 && length(line) + 1 + length(word) > width {
            lines.push(word.into());
        } else {
            line.push_str(if n > 0 { " " } else { "" });
            line.push_str(word);
        }
    }
    lines
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

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
        let plain = anstream::adapter::strip_str(&table(&rows, None)).to_string();
        assert_eq!(plain, "NAME    COUNT\na       1\nlonger  -\n");
    }

    #[test]
    fn a_cell_is_one_line_that_commands_no_terminal() {
        let rows = [Row("a\u{1b}[2J\nb", Some(1), None)];
        let plain = anstream::adapter::strip_str(&table(&rows, None)).to_string();
        assert_eq!(plain, "NAME           COUNT\na\\u{1b}[2J\\nb  1\n");
    }

    #[derive(Serialize)]
    struct Host(&'static str, &'static str, &'static str);

    impl Table for Host {
        const HEADINGS: &'static [&'static str] = &["ID", "STEPS", "URL"];

        fn cells(&self) -> Vec<Cell> {
            [self.0, self.1, self.2].into_iter().map(|text| Cell::text(Some(text))).collect()
        }
    }

    #[test]
    fn a_table_fits_the_terminal_as_far_as_words_stay_whole() {
        let rows = [
            Host("i-1", "SSH 12 s, Docker and image 30 s, seed 1 s", "http://10.0.0.1:8000"),
            Host("i-2", "none", "-"),
        ];
        let shown = |limit| {
            let text = anstream::adapter::strip_str(&table(&rows, limit)).to_string();
            let width = text.lines().map(length).max().unwrap();
            (text, width)
        };
        let (whole, natural) = shown(None);
        assert_eq!((whole.lines().count(), natural), (3, 68));
        assert_eq!(shown(Some(68)).0, whole);
        let (text, width) = shown(Some(45));
        assert_eq!(
            text,
            "ID   STEPS               URL\n\
             i-1  SSH 12 s, Docker    http://10.0.0.1:8000\n     \
             and image 30 s,\n     \
             seed 1 s\n\
             i-2  none                -\n"
        );
        assert!(width <= 45, "{width}");
        // Nothing shorter is possible: a URL is not broken.
        assert!(shown(Some(10)).0.contains("http://10.0.0.1:8000\n"));
    }
}
