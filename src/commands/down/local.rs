//! `eventpost down --local`: stops every service of the stack; data go only when asked for.

use std::process::ExitCode;

use futures_util::future::join_all;
use support::event::{EventSink, Reporter};

use super::row::Row;
use crate::cli::Down;
use crate::commands::confirm::confirm;
use crate::config::Config;
use crate::error::Error;
use crate::local::{self, LocalError, ServiceFolder, StackFolder};
use crate::progress;
use crate::report;
use crate::signals::Signals;

pub(super) async fn run(args: &Down, config: &Config) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    if !stack.path().exists() {
        let display = progress::display();
        Reporter::new(display.as_ref(), config.stack.as_str()).done("there is nothing of it here");
        drop(display);
        report::print::<Row>(&[], args.output.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let lock = stack.lock()?;
    if args.purge && !args.yes {
        let question = format!("Remove all data and logs in {}?", stack.path().display());
        confirm(&mut signals, question).await?;
    }
    // From here on a signal would only leave some running: stopping takes seconds.
    let rows = stop_all(&stack.services()?).await?;
    if args.purge {
        stack.remove()?;
    }
    drop(lock);
    report::print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Stops all, and tells of the first that could not be stopped.
async fn stop_all(folders: &[ServiceFolder]) -> Result<Vec<Row>, LocalError> {
    let display = progress::display();
    let stops = join_all(folders.iter().map(|folder| stop_one(folder, display.as_ref()))).await;
    stops.into_iter().collect()
}

async fn stop_one(folder: &ServiceFolder, display: &dyn EventSink) -> Result<Row, LocalError> {
    let reporter = Reporter::new(display, folder.service());
    reporter.step("stopping");
    let (what, outcome) = match local::stop(folder).await {
        Ok(Some(holder)) => (Some(format!("pid {}", holder.pid)), "stopped"),
        Ok(None) => (None, "was not running"),
        Err(error) => {
            reporter.failed("could not be stopped");
            return Err(error);
        }
    };
    let words = [Some(outcome), what.as_deref()];
    reporter.done(words.into_iter().flatten().collect::<Vec<_>>().join(", "));
    Ok(Row { service: folder.service().into(), what, outcome })
}
