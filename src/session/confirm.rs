//! Asks before anything is lost.

use std::io::{self, BufRead, IsTerminal, Write};

use super::Session;
use crate::error::Error;
use crate::terminal;

impl Session {
    /// Asks a question on the terminal; fails unless the answer is yes. Without a terminal,
    /// nobody can answer.
    pub(crate) async fn confirm(&self, question: String) -> Result<(), Error> {
        let answer = tokio::task::spawn_blocking(move || ask(&question));
        self.inspect(async { answer.await.map_err(|error| Error::Runtime(error.into()))? }).await
    }
}

fn ask(question: &str) -> Result<(), Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::Request(format!(
            "{question} There is no terminal to answer on: pass --yes"
        )));
    }
    let mut stderr = io::stderr();
    let mut answer = String::new();
    write!(stderr, "{} [y/N] ", terminal::escape(question))
        .and_then(|()| stderr.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer))
        .map_err(Error::Runtime)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Error::Declined) }
}
