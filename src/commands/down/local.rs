//! `eventpost down --local`: stops all services of the stack; `--purge` removes their data.

use std::process::ExitCode;

use futures_util::future::join_all;

use super::Row;
use crate::cli::Down;
use crate::error::Error;
use crate::local::{self, LocalError, ServiceFolder};
use crate::session::Session;

pub(super) async fn run(args: &Down, session: Session) -> Result<ExitCode, Error> {
    if !session.folder.path().exists() {
        session.reporter(session.stack()).done("has nothing to stop on this machine");
        session.print::<Row>(&[], args.output.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = session.locked("down", async || {
        if args.purge && !args.yes {
            let folder = session.folder.path().display();
            session.confirm(format!("Remove all data and logs in {folder}?")).await?;
        }
        // A signal would only leave some of them running: stopping takes seconds.
        let rows = stop_all(&session).await?;
        if args.purge {
            session.folder.remove()?;
        }
        Ok(rows)
    });
    let rows = rows.await?;
    session.print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Stops all services, even if one of them cannot be stopped.
async fn stop_all(session: &Session) -> Result<Vec<Row>, LocalError> {
    let folders = session.folder.services()?;
    let stops = join_all(folders.iter().map(|folder| stop(folder, session))).await;
    stops.into_iter().collect()
}

async fn stop(folder: &ServiceFolder, session: &Session) -> Result<Row, LocalError> {
    let reporter = session.reporter(folder.service());
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
