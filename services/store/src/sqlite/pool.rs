//! Connections for short reads.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::reader::ReadConnection;
use crate::StoreError;

/// Steps of SQLite's machine between two looks at the clock: less than a millisecond of them.
const STEPS: i32 = 1000;

/// Connections for short reads, opened as they are needed.
#[derive(Debug)]
pub(super) struct Pool {
    path: PathBuf,
    limit: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<ReadConnection>,
    open: usize,
    /// How often states were released.
    releases: u64,
    /// Threads that wait for a connection. Waking nobody is a system call, too, and most reads
    /// would make one.
    waiting: usize,
}

impl Pool {
    /// A pool of at most so many connections. It opens one, so that an unreadable file is noticed.
    pub(super) fn new(path: &Path, limit: usize) -> Result<Self, StoreError> {
        let idle = vec![ReadConnection::open(path, 0)?];
        let state = Mutex::new(State { idle, open: 1, releases: 0, waiting: 0 });
        Ok(Self { path: path.into(), limit, state, returned: Condvar::new() })
    }

    /// A connection; waits until one is returned if all are in use.
    pub(super) fn take(&self) -> Result<Pooled<'_>, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.idle.is_empty() && state.open == self.limit {
            state.waiting += 1;
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        self.take_from(state)
    }

    /// A connection, unless all are in use.
    pub(super) fn try_take(&self) -> Option<Result<Pooled<'_>, StoreError>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = !state.idle.is_empty() || state.open < self.limit;
        is_free.then(|| self.take_from(state))
    }

    /// An idle connection, or one that is opened, for which there must be room.
    fn take_from(&self, mut state: MutexGuard<'_, State>) -> Result<Pooled<'_>, StoreError> {
        let (reader, releases) = (state.idle.pop(), state.releases);
        state.open += usize::from(reader.is_none());
        drop(state);
        let mut pooled = Pooled { pool: self, reader, is_limited: false };
        if pooled.reader.is_none() {
            pooled.reader = Some(ReadConnection::open(&self.path, releases)?);
        }
        Ok(pooled)
    }

    /// Has connections let go of the states that they keep: idle ones now, others when they are
    /// returned.
    pub(super) fn release_states(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.releases += 1;
        let (idle, releases) = (state.idle.len(), state.releases);
        // One that cannot is closed, which does it.
        state.idle.retain_mut(|reader| reader.catch_up(releases));
        state.open -= idle - state.idle.len();
    }
}

/// A connection that returns to its pool when it is dropped.
#[derive(Debug)]
pub(super) struct Pooled<'a> {
    pool: &'a Pool,
    reader: Option<ReadConnection>,
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
        self.reader().connection.progress_handler(STEPS, Some(handler))?;
        self.is_limited = true;
        Ok(is_over)
    }

    /// The connection, to have it keep a state.
    pub(super) fn reader(&mut self) -> &mut ReadConnection {
        self.reader.as_mut().expect("there until it is dropped")
    }
}

impl Deref for Pooled<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.reader.as_ref().expect("there until it is dropped").connection
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = self.reader.take().and_then(|mut reader| {
            // One that would interrupt the next read is closed.
            let is_free = !self.is_limited
                || reader.connection.progress_handler(0, None::<fn() -> bool>).is_ok();
            (is_free && reader.catch_up(state.releases)).then_some(reader)
        });
        match usable {
            Some(reader) => state.idle.push(reader),
            // It could not be opened, or not be freed.
            None => state.open -= 1,
        }
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            self.pool.returned.notify_one();
        }
    }
}
