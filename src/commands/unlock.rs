//! `eventpost unlock`: who has the right to change the stack, and taking it from them.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use support::event::Reporter;
use support::wait::{in_words, unix_seconds};

use crate::cli::Unlock;
use crate::commands::confirm::confirm;
use crate::commands::keeper::keeper;
use crate::config;
use crate::error::Error;
use crate::lease::Lease;
use crate::progress;
use crate::report::{self, Cell, Table};
use crate::signals::Signals;

/// A row of the result.
#[derive(Debug, Serialize)]
struct Row {
    owner: String,
    purpose: String,
    /// In seconds since 1970, as is the next.
    since: u64,
    until: u64,
    has_run_out: bool,
    outcome: &'static str,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["OWNER", "FOR", "SINCE", "RUNS OUT", "OUTCOME"];

    fn cells(&self) -> Vec<Cell> {
        let now = unix_seconds();
        let ago = |time: u64| in_words(Duration::from_secs(now.saturating_sub(time)));
        let until = if self.until < now {
            format!("{} ago", ago(self.until))
        } else {
            format!("in {}", in_words(Duration::from_secs(self.until - now)))
        };
        vec![
            Cell::text(Some(&self.owner)),
            Cell::text(Some(&self.purpose)),
            Cell::text(Some(format!("{} ago", ago(self.since)))),
            Cell::text(Some(until)),
            Cell::text(Some(self.outcome)),
        ]
    }
}

pub(super) async fn run(args: &Unlock) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    let display = progress::display();
    let reporter = Reporter::new(display.as_ref(), "lease");
    let look = async {
        let keeper = keeper(&config, &args.stack, &args.hosts.named, reporter).await?;
        let leases = keeper.leases().await?;
        Ok::<_, Error>((keeper, leases))
    };
    let looked = signals.race(look).await;
    let (keeper, leases) = looked.map_err(|caught| caught.into_error("nothing was changed"))??;
    drop(display);
    let mut rows = Vec::new();
    for lease in &leases {
        if !args.yes && !lease.has_run_out() {
            confirm(&mut signals, question(lease)).await?;
        }
        keeper.end(lease).await?;
        rows.push(row(lease));
    }
    report::print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

fn question(lease: &Lease) -> String {
    let ago = in_words(Duration::from_secs(unix_seconds().saturating_sub(lease.since)));
    format!(
        "{} has the right to change this stack, for {ago} and for `{}`. What it is doing is cut \
         short if it still runs. Take it away?",
        lease.owner, lease.purpose
    )
}

fn row(lease: &Lease) -> Row {
    Row {
        owner: lease.owner.clone(),
        purpose: lease.purpose.clone(),
        since: lease.since,
        until: lease.until,
        has_run_out: lease.has_run_out(),
        outcome: "broken",
    }
}
