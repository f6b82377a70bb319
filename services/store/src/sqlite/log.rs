//! The log of recent commits, SQLite's WAL: its size, and what moves it to the file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::mutex::lock;

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;
/// Bytes of a page in the log, with its header.
const FRAME: u64 = PAGE + 24;
/// From this size on, a thread moves commits to the file.
const CHECKPOINT: u64 = 4 << 20;
/// From this size on, reads of an old state are ended, the oldest first.
pub(super) const END_READS: u64 = 32 << 20;
/// At this size, writes wait.
pub(super) const LARGEST: u64 = 64 << 20;

/// The log of recent commits.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    frames: AtomicU64,
    /// The frames at which commits are moved to the file next.
    next: AtomicU64,
    due: AtomicBool,
    /// The writer is to move the rest to the file, so that the log starts from its beginning:
    /// any other thread would have new commits behind it when it is done.
    finish: AtomicBool,
    pub(super) checkpoints: AtomicU64,
    wakes: Mutex<Wakes>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct Wakes {
    /// There may be something to do.
    work: bool,
    stop: bool,
}

/// How far a checkpoint came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Frames in the log.
    pub(super) frames: u64,
    /// Those of them that the file has.
    pub(super) moved: u64,
}

impl Progress {
    pub(super) const fn is_complete(self) -> bool {
        self.frames == self.moved
    }
}

impl Log {
    pub(super) fn new(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self {
            path: path.into(),
            frames: AtomicU64::new(0),
            next: AtomicU64::new(CHECKPOINT / FRAME),
            due: AtomicBool::new(false),
            finish: AtomicBool::new(false),
            checkpoints: AtomicU64::new(0),
            wakes: Mutex::default(),
            woken: Condvar::new(),
        }
    }

    /// The bytes of the log that are in use.
    pub(super) fn bytes(&self) -> u64 {
        self.frames.load(Ordering::Relaxed) * FRAME
    }

    /// The size of the log's file, which keeps what it had to grow to for a while.
    pub(super) fn file_bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    /// Notes the size of the log after a commit.
    pub(super) fn note(&self, frames: u64) {
        if frames < self.frames.swap(frames, Ordering::Relaxed) {
            // It has started from its beginning.
            self.next.store(CHECKPOINT / FRAME, Ordering::Relaxed);
        }
        // Not after each commit: a reader of the newest state, and with it the writer, can only
        // let go of the log while nothing is moved.
        if frames >= self.next.load(Ordering::Relaxed) {
            self.next.store(frames + CHECKPOINT / FRAME / 2, Ordering::Relaxed);
            self.due.store(true, Ordering::Relaxed);
            self.wake();
        }
    }

    /// Whether commits are to be moved to the file; they are not any more then.
    pub(super) fn take_due(&self) -> bool {
        self.due.swap(false, Ordering::Relaxed)
    }

    /// Asks the writer to finish a checkpoint.
    pub(super) fn ask_to_finish(&self) {
        self.finish.store(true, Ordering::Relaxed);
    }

    /// Whether the writer was asked to finish a checkpoint; it was not any more then.
    pub(super) fn take_finish(&self) -> bool {
        self.finish.load(Ordering::Relaxed) && self.finish.swap(false, Ordering::Relaxed)
    }

    /// Moves what no reader needs any more from the log to the file. Does not wait for readers.
    pub(super) fn checkpoint(&self, connection: &Connection) -> rusqlite::Result<Progress> {
        let result = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            let number =
                |column| row.get::<_, i64>(column).map(|it| u64::try_from(it).unwrap_or(0));
            Ok((number(0)?, number(1)?, number(2)?))
        });
        let (busy, frames, moved) = result?;
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        // One that another connection has begun says nothing of how far it came.
        let moved = if busy == 0 { moved } else { 0 };
        Ok(Progress { frames: frames.max(moved + busy), moved })
    }

    /// Moves the whole log to the file, so that the next commit starts it from its beginning.
    /// Waits for readers as long as for other programs, and returns whether they let go of it.
    pub(super) fn restart(&self, connection: &Connection) -> rusqlite::Result<bool> {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        let sql = "PRAGMA wal_checkpoint(RESTART)";
        connection.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)? == 0))
    }

    /// Wakes the thread that looks after the log.
    pub(super) fn wake(&self) {
        lock(&self.wakes).work = true;
        self.woken.notify_one();
    }

    /// Has the thread that looks after the log end.
    pub(super) fn stop(&self) {
        lock(&self.wakes).stop = true;
        self.woken.notify_all();
    }

    /// Waits until there may be something to do. False when the thread is to end.
    pub(super) fn wait(&self, at_most: Option<Duration>) -> bool {
        let mut wakes = lock(&self.wakes);
        if !wakes.work && !wakes.stop {
            wakes = match at_most {
                Some(time) => {
                    let result = self.woken.wait_timeout(wakes, time);
                    result.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.woken.wait(wakes).unwrap_or_else(PoisonError::into_inner),
            };
        }
        wakes.work = false;
        !wakes.stop
    }
}
