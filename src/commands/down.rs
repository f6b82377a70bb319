//! `eventpost down`: stops every service of the stack; data go only when asked for.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use futures_util::future::join_all;

use crate::cli::Down;
use crate::config;
use crate::error::Error;
use crate::event::{EventSink, Reporter};
use crate::local::{self, LocalError, ServiceFolder, StackFolder};
use crate::progress;
use crate::signals::Signals;

pub(super) async fn run(args: &Down) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref())?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    if !stack.path().exists() {
        let display = progress::display();
        Reporter::new(display.as_ref(), config.stack.as_str()).done("there is nothing of it here");
        return Ok(ExitCode::SUCCESS);
    }
    let lock = stack.lock()?;
    if args.purge && !args.yes {
        let question = tokio::task::spawn_blocking({
            let path = stack.path().display().to_string();
            move || confirm(&format!("Remove all data and logs in {path}?"))
        });
        let answer = signals
            .race(question)
            .await
            .map_err(|caught| caught.into_error("nothing was stopped or removed"))?;
        answer.map_err(|error| Error::Runtime(error.into()))??;
    }
    // From here on a signal would only leave some running: stopping takes seconds.
    stop_all(&stack.services()?).await?;
    if args.purge {
        stack.remove()?;
    }
    drop(lock);
    Ok(ExitCode::SUCCESS)
}

/// Stops all, and tells of the first that could not be stopped.
async fn stop_all(folders: &[ServiceFolder]) -> Result<(), LocalError> {
    let display = progress::display();
    let stops = join_all(folders.iter().map(|folder| stop_one(folder, display.as_ref()))).await;
    stops.into_iter().collect()
}

async fn stop_one(folder: &ServiceFolder, display: &dyn EventSink) -> Result<(), LocalError> {
    let reporter = Reporter::new(display, folder.service());
    reporter.step("stopping");
    match local::stop(folder).await {
        Ok(Some(holder)) => reporter.done(format!("stopped, pid {}", holder.pid)),
        Ok(None) => reporter.done("was not running"),
        Err(error) => {
            reporter.failed("could not be stopped");
            return Err(error);
        }
    }
    Ok(())
}

/// Asks on the terminal. Without one, nobody can answer, and that is a no.
fn confirm(question: &str) -> Result<(), Error> {
    let mut stderr = io::stderr();
    if !io::stdin().is_terminal() {
        return Err(Error::Request(format!("{question} Nobody can answer here: give --yes")));
    }
    let mut answer = String::new();
    write!(stderr, "{question} [y/N] ")
        .and_then(|()| stderr.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer))
        .map_err(Error::Runtime)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Error::Declined)
}
