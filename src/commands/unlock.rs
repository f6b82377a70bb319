//! `eventpost unlock`: shows who holds the lock of the stack, and breaks it.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use support::wait::{in_words, unix_seconds};

use crate::cli::Unlock;
use crate::error::Error;
use crate::lock::Lock;
use crate::report::{Cell, Table};
use crate::session::Session;

/// A row of the result.
#[derive(Debug, Serialize)]
struct Row {
    owner: String,
    purpose: String,
    /// In seconds since 1970, like `expires`.
    since: u64,
    expires: u64,
    has_expired: bool,
    outcome: &'static str,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["OWNER", "PURPOSE", "SINCE", "EXPIRES", "OUTCOME"];

    fn cells(&self) -> Vec<Cell> {
        let now = unix_seconds();
        let ago = |time: u64| in_words(Duration::from_secs(now.saturating_sub(time)));
        let expires = if self.expires < now {
            format!("{} ago", ago(self.expires))
        } else {
            format!("in {}", in_words(Duration::from_secs(self.expires - now)))
        };
        vec![
            Cell::text(Some(&self.owner)),
            Cell::text(Some(&self.purpose)),
            Cell::text(Some(format!("{} ago", ago(self.since)))),
            Cell::text(Some(expires)),
            Cell::text(Some(self.outcome)),
        ]
    }
}

pub(super) async fn run(args: &Unlock) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &(&args.hosts).into())?;
    let store = session.inspect(session.lock_store()).await?;
    let locks = session.inspect(store.locks()).await?;
    let mut rows = Vec::new();
    for lock in &locks {
        if !args.yes && !lock.has_expired() {
            session.confirm(question(lock)).await?;
        }
        store.release(lock).await?;
        rows.push(row(lock));
    }
    session.print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

fn question(lock: &Lock) -> String {
    let ago = in_words(Duration::from_secs(unix_seconds().saturating_sub(lock.since)));
    format!(
        "{} is changing this stack, for {ago} and for `{}`. If that command still runs, it stops \
         where it is. Break its lock?",
        lock.owner, lock.purpose
    )
}

fn row(lock: &Lock) -> Row {
    Row {
        owner: lock.owner.clone(),
        purpose: lock.purpose.clone(),
        since: lock.since,
        expires: lock.expires,
        has_expired: lock.has_expired(),
        outcome: "broken",
    }
}
