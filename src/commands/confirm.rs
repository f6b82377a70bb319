//! Asks before anything is lost.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::error::Error;
use crate::signals::Signals;
use crate::terminal;

/// Asks on the terminal. Without one nobody can answer, and that is a no.
pub(super) async fn confirm(signals: &mut Signals, question: String) -> Result<(), Error> {
    let answer = tokio::task::spawn_blocking(move || ask(&question));
    let answer =
        signals.race(answer).await.map_err(|caught| caught.into_error("nothing was changed"))?;
    answer.map_err(|error| Error::Runtime(error.into()))?
}

fn ask(question: &str) -> Result<(), Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::Request(format!("{question} Nobody can answer here: give --yes")));
    }
    let mut stderr = io::stderr();
    let mut answer = String::new();
    write!(stderr, "{} [y/N] ", terminal::escape(question))
        .and_then(|()| stderr.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer))
        .map_err(Error::Runtime)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Error::Declined) }
}
