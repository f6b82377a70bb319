//! States that lists and backups are reading: how many, for how long, and what ends them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::{Connection, InterruptHandle};

use super::connect::{Use, connect};
use super::failure::translate;
use crate::StoreError;
use crate::mutex::lock;

/// Lists at once.
const LISTS: usize = 32;
/// How long a list may take.
const LIST_TIME: Duration = Duration::from_secs(30);
/// Connections that are kept for the next lists.
const IDLE: usize = 4;
/// How long a reader has to notice that its state has ended before it is looked at again.
const CLOSE_RETRY: Duration = Duration::from_millis(100);

/// Who reads a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A list, which ends when it takes too long or the log is large.
    List,
    /// A backup, which ends when writes would have to fail.
    Backup,
    /// A check of the whole file, which is made again later.
    Check,
}

/// All states that are being read.
#[derive(Debug)]
pub(super) struct Snapshots {
    path: PathBuf,
    open: Mutex<Vec<Arc<Slot>>>,
    idle: Mutex<Vec<Connection>>,
}

/// A state that is being read. The store can end it whatever its reader does.
pub(super) struct Slot {
    reader: Reader,
    begun: Instant,
    ended: AtomicBool,
    interrupt: InterruptHandle,
    connection: Mutex<Option<Connection>>,
}

/// A state, for its reader.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    snapshots: &'a Snapshots,
    slot: Arc<Slot>,
}

impl Snapshots {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.into(), open: Mutex::default(), idle: Mutex::default() }
    }

    /// Begins to read the present state.
    pub(super) fn begin(&self, reader: Reader) -> Result<Arc<Slot>, StoreError> {
        if reader == Reader::List && self.lists() >= LISTS {
            return Err(too_many());
        }
        let idle = lock(&self.idle).pop();
        let connection = idle.map_or_else(|| connect(&self.path, Use::Scan), Ok)?;
        // The state is fixed by the first read, not by BEGIN.
        connection
            .execute_batch("BEGIN; SELECT commits FROM totals;")
            .map_err(|error| translate(&self.path, &error))?;
        let slot = Arc::new(Slot {
            reader,
            begun: Instant::now(),
            ended: AtomicBool::new(false),
            interrupt: connection.get_interrupt_handle(),
            connection: Mutex::new(Some(connection)),
        });
        let mut open = lock(&self.open);
        if reader == Reader::List && lists(&open) >= LISTS {
            return Err(too_many());
        }
        open.push(Arc::clone(&slot));
        Ok(slot)
    }

    /// Lists being read.
    pub(super) fn lists(&self) -> usize {
        lists(&lock(&self.open))
    }

    /// Ends a state.
    pub(super) fn end(&self, slot: &Arc<Slot>) {
        lock(&self.open).retain(|other| !Arc::ptr_eq(slot, other));
        let Some(connection) = lock(&slot.connection).take() else { return };
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE && connection.execute_batch("ROLLBACK").is_ok() {
            idle.push(connection);
        }
    }

    /// Ends the lists that have taken too long. Returns when the next one will have.
    pub(super) fn end_late(&self, time: Instant) -> Option<Instant> {
        let open = lock(&self.open).clone();
        let mut next = None::<Instant>;
        for slot in open.iter().filter(|slot| slot.reader == Reader::List || slot.has_ended()) {
            let end = slot.begun + LIST_TIME;
            let again = if slot.has_ended() || end <= time {
                if slot.expire() {
                    continue;
                }
                time + CLOSE_RETRY
            } else {
                end
            };
            next = Some(next.map_or(again, |next| next.min(again)));
        }
        next
    }

    /// Ends the oldest of the states that are read by one of these. False if there is none.
    pub(super) fn end_oldest(&self, readers: &[Reader]) -> bool {
        let open = lock(&self.open).clone();
        let candidates = open.iter().filter(|slot| readers.contains(&slot.reader));
        let oldest = candidates.filter(|slot| !slot.has_ended()).min_by_key(|slot| slot.begun);
        oldest.is_some_and(|slot| {
            slot.expire();
            true
        })
    }

    /// Ends all of them.
    pub(super) fn end_all(&self) {
        while self.end_oldest(&[Reader::List, Reader::Backup, Reader::Check]) {}
        lock(&self.idle).clear();
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("reader", &self.reader).finish_non_exhaustive()
    }
}

impl Slot {
    /// Reads from the state.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut held = lock(&self.connection);
        let result = match held.as_ref() {
            Some(connection) if !self.has_ended() => read(connection),
            _ => Err(StoreError::Expired),
        };
        if self.has_ended() {
            // Whoever ended it could not take the connection while it was in use.
            *held = None;
            return Err(StoreError::Expired);
        }
        result
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Closes the connection, unless it is in use: then its reader is interrupted, and closes it
    /// if it notices. True if it is closed.
    fn expire(&self) -> bool {
        self.ended.store(true, Ordering::Release);
        self.interrupt.interrupt();
        let Ok(mut connection) = self.connection.try_lock() else { return false };
        *connection = None;
        true
    }
}

impl<'a> Snapshot<'a> {
    /// Reads the present state until this is dropped.
    pub(super) fn begin(snapshots: &'a Snapshots, reader: Reader) -> Result<Self, StoreError> {
        Ok(Self { slot: snapshots.begin(reader)?, snapshots })
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.slot.read(read)
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        self.snapshots.end(&self.slot);
    }
}

fn lists(open: &[Arc<Slot>]) -> usize {
    // One that has ended holds nothing any more, although its client may still be there.
    open.iter().filter(|slot| slot.reader == Reader::List && !slot.has_ended()).count()
}

const fn too_many() -> StoreError {
    StoreError::Busy { why: "too many lists are being read" }
}
