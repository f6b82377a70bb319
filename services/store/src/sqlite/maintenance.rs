//! The threads that look after the file: one moves the log to it, one checks it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc::WeakSender;
use tokio::sync::oneshot;

use super::connect::{Use, connect};
use super::log::END_READS;
use super::shared::Shared;
use super::snapshots::{Reader, Snapshot};
use super::writer::{Answer, Job, Task};
use crate::StoreError;

/// How long after the start the file is checked, and how often then.
const FIRST_CHECK: Duration = Duration::from_secs(60);
const CHECK_INTERVAL: Duration = Duration::from_secs(24 * 3600);
/// When a check that had to end for the sake of writes is made again.
const CHECK_RETRY: Duration = Duration::from_secs(600);
/// How long to wait for readers of an old state before the log is looked at again.
const RETRY: Duration = Duration::from_millis(50);

/// Moves the log to the file and ends lists that take too long, until the store is closed.
pub(super) fn look_after_log(shared: &Arc<Shared>, connection: &Connection) {
    let (mut wait, mut again) = (None, false);
    while shared.log.wait(wait) {
        let next_end = shared.snapshots.end_late(Instant::now());
        wait = next_end.map(|end| end.saturating_duration_since(Instant::now()));
        if !std::mem::take(&mut again) && !shared.log.take_due() {
            continue;
        }
        let progress = match shared.checkpoint(connection) {
            Ok(progress) => progress,
            Err(error) => {
                let error = shared.translate(&error);
                tracing::warn!(%error, "recent commits cannot be moved to the database's file");
                (wait, again) = (Some(RETRY * 20), true);
                continue;
            }
        };
        if progress.is_complete() {
            // The next commit starts the log from its beginning, unless there was one already.
            shared.log.ask_to_finish();
        } else if shared.log.bytes() >= END_READS {
            shared.snapshots.end_oldest(&[Reader::List, Reader::Check]);
            (wait, again) = (Some(RETRY), true);
        }
    }
}

/// Checks the file from time to time, until the sender of `stop` is dropped.
pub(super) fn check_regularly(shared: &Arc<Shared>, queue: &WeakSender<Job>, stop: &Receiver<()>) {
    let mut wait = FIRST_CHECK;
    while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(wait) {
        wait = match check(shared) {
            Ok(()) => {
                forget_words(queue);
                CHECK_INTERVAL
            }
            Err(StoreError::Damaged { .. }) => return,
            Err(error) => {
                tracing::info!(%error, "the check of the database did not end");
                CHECK_RETRY
            }
        };
    }
}

/// Has the writer forget words that no document has any more, in steps between other writes.
pub(super) fn forget_words(queue: &WeakSender<Job>) {
    let mut after = String::new();
    // The store may be closed meanwhile.
    while let Some(queue) = queue.upgrade() {
        let (reply, answer) = oneshot::channel();
        let job = Job { task: Task::ForgetWords { after }, reply };
        if queue.blocking_send(job).is_err() {
            return;
        }
        drop(queue);
        match answer.blocking_recv() {
            Ok(Ok(Answer::Word(Some(last)))) => after = last,
            _ => return,
        }
    }
}

/// Checks the structure of the file. What it finds is remembered.
pub(super) fn check(shared: &Shared) -> Result<(), StoreError> {
    let snapshot = Snapshot::begin(&shared.snapshots, Reader::Check)?;
    snapshot.read(|connection| {
        let sql = "PRAGMA quick_check(1)";
        let found: String = connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|error| shared.translate(&error))?;
        if found == "ok" {
            return Ok(());
        }
        let error = StoreError::Damaged { path: shared.path.clone(), what: found };
        shared.stop_writes(&error);
        Err(error)
    })
}

/// A connection for checkpoints.
pub(super) fn connection(shared: &Shared) -> Result<Connection, StoreError> {
    let connection = connect(&shared.path, Use::Scan)?;
    // A checkpoint writes to the file.
    let writable = connection.execute_batch("PRAGMA query_only = OFF");
    writable.map_err(|error| shared.translate(&error))?;
    Ok(connection)
}
