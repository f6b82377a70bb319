//! Connections for short reads.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use super::connect::{Use, connect};
use crate::StoreError;

/// Reads at once. More would wait for the same disk and take memory for their pages.
const CONNECTIONS: usize = 8;

/// Connections for short reads, opened as they are needed.
#[derive(Debug)]
pub(super) struct Pool {
    path: PathBuf,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    open: usize,
}

impl Pool {
    /// A pool with one connection, so that an unreadable file is noticed.
    pub(super) fn new(path: &Path) -> Result<Self, StoreError> {
        let idle = vec![connect(path, Use::Reader)?];
        let state = Mutex::new(State { idle, open: 1 });
        Ok(Self { path: path.into(), state, returned: Condvar::new() })
    }

    /// A connection; waits until one is returned if all are in use.
    pub(super) fn take(&self) -> Result<Pooled<'_>, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = state.idle.pop() {
                return Ok(Pooled { pool: self, connection: Some(connection) });
            }
            if state.open < CONNECTIONS {
                state.open += 1;
                break;
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        let mut pooled = Pooled { pool: self, connection: None };
        pooled.connection = Some(connect(&self.path, Use::Reader)?);
        Ok(pooled)
    }

    /// A connection that nobody uses, if there is one.
    pub(super) fn take_idle(&self) -> Option<Pooled<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = state.idle.pop()?;
        Some(Pooled { pool: self, connection: Some(connection) })
    }
}

/// A connection that returns to its pool when it is dropped.
#[derive(Debug)]
pub(super) struct Pooled<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl Deref for Pooled<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.connection.take() {
            Some(connection) => state.idle.push(connection),
            // It could not be opened.
            None => state.open -= 1,
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}
