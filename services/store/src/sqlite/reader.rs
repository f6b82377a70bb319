//! A connection that reads.

use std::path::Path;

use rusqlite::Connection;

use super::connect::{Use, connect};
use crate::StoreError;

/// A connection that reads, and the state that it reads, if it keeps to one.
#[derive(Debug)]
pub(super) struct ReadConnection {
    pub(super) connection: Connection,
    /// How many commits the state has that a transaction in progress reads, at least.
    commits: Option<u64>,
    /// How often states had been released when it was opened or last released its own.
    releases: u64,
}

impl ReadConnection {
    pub(super) fn open(path: &Path, releases: u64) -> Result<Self, StoreError> {
        Ok(Self { connection: connect(path, Use::Reader)?, commits: None, releases })
    }

    /// Has what is read from now on be of a state that has these commits. Until there are more,
    /// the next reads need not lock the state again, which takes as long as reading a row.
    pub(super) fn keep_state(&mut self, commits: u64) -> rusqlite::Result<()> {
        if self.commits == Some(commits) {
            return Ok(());
        }
        self.release_state()?;
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        self.commits = Some(commits);
        Ok(())
    }

    /// Lets go of the state, so that the log can be moved to the file.
    pub(super) fn release_state(&mut self) -> rusqlite::Result<()> {
        self.commits = None;
        // Some errors have ended the transaction already.
        if !self.connection.is_autocommit() {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }

    /// Lets go of the state if states were released since it was read. Returns whether the
    /// connection can be used further.
    pub(super) fn catch_up(&mut self, releases: u64) -> bool {
        if self.commits.is_some() && self.releases == releases {
            return true;
        }
        self.releases = releases;
        self.release_state().is_ok()
    }
}
