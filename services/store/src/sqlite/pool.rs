//! Connections for short reads.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connect::{Use, connect};
use crate::StoreError;

/// Reads at once. More would wait for the same disk and take memory for their pages.
const CONNECTIONS: usize = 8;
/// Steps of SQLite's machine between two looks at the clock: less than a millisecond of them.
const STEPS: i32 = 1000;

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
                return Ok(Pooled { pool: self, connection: Some(connection), is_limited: false });
            }
            if state.open < CONNECTIONS {
                state.open += 1;
                break;
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        let mut pooled = Pooled { pool: self, connection: None, is_limited: false };
        pooled.connection = Some(connect(&self.path, Use::Reader)?);
        Ok(pooled)
    }

    /// A connection that nobody uses, if there is one.
    pub(super) fn take_idle(&self) -> Option<Pooled<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = state.idle.pop()?;
        Some(Pooled { pool: self, connection: Some(connection), is_limited: false })
    }
}

/// A connection that returns to its pool when it is dropped.
#[derive(Debug)]
pub(super) struct Pooled<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    /// It has a handler that interrupts it.
    is_limited: bool,
}

impl Pooled<'_> {
    /// Interrupts what is read once this time has passed, until the connection is returned. The
    /// flag that is returned tells whether it did.
    pub(super) fn limit_time(&mut self, time: Duration) -> rusqlite::Result<Arc<AtomicBool>> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (begun, flag) = (Instant::now(), Arc::clone(&is_over));
        let handler = move || {
            let over = begun.elapsed() >= time;
            if over {
                flag.store(true, Ordering::Relaxed);
            }
            over
        };
        let connection = self.connection.as_mut().expect("there until it is dropped");
        connection.progress_handler(STEPS, Some(handler))?;
        self.is_limited = true;
        Ok(is_over)
    }
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
        let usable = self.connection.take().and_then(|mut connection| {
            // One that would interrupt the next read is closed.
            let is_free =
                !self.is_limited || connection.progress_handler(0, None::<fn() -> bool>).is_ok();
            is_free.then_some(connection)
        });
        match usable {
            Some(connection) => state.idle.push(connection),
            // It could not be opened, or not be freed.
            None => state.open -= 1,
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}
