//! The writer: one thread with one connection makes all changes, as many as there are in one
//! commit.
//!
//! ```text
//! task       what is to be done, and what comes back
//! apply      changes of documents
//! index      changes of the search index, in the order that FTS5 wants
//! deliveries changes of deliveries
//! restore    fills an empty database from a backup
//! room       limits, free space, and the space that is kept for a full disk
//! ```

mod apply;
mod deliveries;
mod index;
mod restore;
mod room;
mod task;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, ffi};
use tokio::sync::mpsc;

use super::failure::{code, leaves_doubt, readable};
use super::log::{LARGEST, PAGE, Progress};
use super::shared::Shared;
use super::snapshots::Reader;
use super::totals::Totals;
use crate::clock::now;
use crate::settings::Limits;
use crate::{ObjectId, StoreError};

pub(super) use apply::{first_key, last_key};
pub(super) use deliveries::{MAIL_SINCE, meta, release};
use index::Index;
pub(super) use index::is_indexed;
pub(super) use restore::Restorer;
use room::Room;
pub(super) use room::give_up_spare_in;
pub(super) use task::{Answer, Job, Task};

/// Jobs that wait at once; further ones wait where they come from.
pub(super) const QUEUE: usize = 1024;
/// Jobs in one commit.
const BATCH: usize = 512;
/// Bytes of documents in one commit.
const BATCH_BYTES: usize = 1 << 20;
/// How long writes wait for readers while the log is as large as it may be.
const LOG_TIMEOUT: Duration = Duration::from_secs(10);
const LOG_RETRY: Duration = Duration::from_millis(50);

/// What the thread works with.
pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    room: Room,
    /// As of the transaction in progress.
    totals: Totals,
    index: Index,
    /// Documents that the transaction in progress changes.
    changed: Vec<ObjectId>,
    /// The greatest id that was ever stored, as far as this process knows.
    last_id: Option<ObjectId>,
    /// How late a notification may be when it is first seen, in milliseconds, once mails are
    /// sent.
    expiry: Option<u64>,
    claims: i64,
    /// Readers have kept the log from starting again for as long as writes wait.
    is_blocked: bool,
}

/// Why a task was not done.
#[derive(Debug)]
enum Failure {
    /// Nothing was changed, and the transaction goes on.
    Refused(StoreError),
    /// The transaction is lost.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

type Results = Vec<Result<Answer, StoreError>>;

impl Writer {
    pub(super) fn new(
        mut connection: Connection,
        shared: Arc<Shared>,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let hook = {
            let shared = Arc::clone(&shared);
            move |_: &mut rusqlite::hooks::Wal, frames: i32| {
                shared.log.note(u64::try_from(frames).unwrap_or(0));
                Ok(())
            }
        };
        let prepare = |connection: &mut Connection| -> rusqlite::Result<_> {
            connection.wal_hook(Some(hook))?;
            let last_id = "SELECT max(id) FROM documents";
            let last_id = readable(connection.query_row(last_id, [], |row| row.get(0)))?;
            Ok((last_id.flatten(), deliveries::stored_expiry(connection)?))
        };
        let (last_id, expiry) =
            prepare(&mut connection).map_err(|error| shared.translate(&error))?;
        Ok(Self {
            connection,
            room: Room::new(&shared.path, limits),
            totals: shared.totals(),
            shared,
            index: Index::default(),
            changed: Vec::new(),
            last_id,
            expiry,
            // Claims of a former process are void, so numbers may repeat after a start.
            claims: i64::from(getrandom::u32().unwrap_or_default()) << 20,
            is_blocked: false,
        })
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let (mut batch, mut closing) = (Vec::new(), Vec::new());
        while let Some(first) = queue.blocking_recv() {
            let mut bytes = first.task.bytes();
            batch.push(first);
            while batch.len() < BATCH && bytes < BATCH_BYTES {
                let Ok(job) = queue.try_recv() else { break };
                bytes += job.task.bytes();
                batch.push(job);
            }
            let closes = |job: &mut Job| matches!(job.task, Task::Close);
            closing.extend(batch.extract_if(.., closes));
            if !closing.is_empty() {
                // What is in the queue already is done; what would come later is not taken.
                queue.close();
            }
            self.carry_out(&mut batch);
            if self.shared.log.take_finish() {
                let _ = self.shared.log.checkpoint(&self.connection);
            }
        }
        // The file then has everything, and the next start finds no log to read.
        self.shared.snapshots.end_all();
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        for job in closing {
            let _ = job.reply.send(Ok(Answer::Done));
        }
    }

    /// Does the jobs in one transaction, or each in one of its own if that fails.
    fn carry_out(&mut self, batch: &mut Vec<Job>) {
        if batch.is_empty() {
            return;
        }
        let tasks: Vec<&Task> = batch.iter().map(|job| &job.task).collect();
        let results = match self.commit(&tasks) {
            Ok(results) => results,
            Err(error) if tasks.len() == 1 => vec![self.commit_in_spare_room(tasks[0], error)],
            // Each of them would only wait again.
            Err(error @ StoreError::Busy { .. }) => {
                tasks.iter().map(|_| Err(error.clone())).collect()
            }
            Err(_) => {
                let alone = |task: &&Task| match self.commit(&[task]) {
                    Ok(mut results) => results.pop().expect("one result for each task"),
                    Err(error) => self.commit_in_spare_room(task, error),
                };
                tasks.iter().map(alone).collect()
            }
        };
        for (job, result) in batch.drain(..).zip(results) {
            // Whoever asked may have gone.
            let _ = job.reply.send(result);
        }
    }

    /// Does what met a full disk in the room that the log has, or in what is kept for such tasks.
    fn commit_in_spare_room(
        &mut self,
        task: &Task,
        mut error: StoreError,
    ) -> Result<Answer, StoreError> {
        if !task.may_use_spare() {
            return Err(error);
        }
        for give_up in [false, true] {
            if !matches!(error, StoreError::Full { .. }) || (give_up && !self.room.give_up_spare())
            {
                break;
            }
            // A log that starts from its beginning needs no more room than it has. Moving it to
            // the file may need some.
            let _ = self.shared.log.restart(&self.connection);
            error = match self.commit(&[task]) {
                Ok(mut results) => return results.pop().expect("one result for each task"),
                Err(error) => error,
            };
        }
        Err(error)
    }

    /// Does the tasks in one transaction and makes it durable. On an error nothing was done.
    fn commit(&mut self, tasks: &[&Task]) -> Result<Results, StoreError> {
        self.shared.check()?;
        self.wait_for_log()?;
        let free_pages = self.free_pages().map_err(|error| self.shared.translate(&error))?;
        self.room.look(&self.shared, free_pages * PAGE);
        let begun = Instant::now();
        let before = self.totals;
        let committed = self.transact(tasks);
        let (changed, has_changed) = (std::mem::take(&mut self.changed), self.totals != before);
        let counters = &self.shared.counters;
        match committed {
            Ok(results) => {
                self.index.clear();
                if has_changed {
                    for id in changed {
                        self.shared.cache.remove(id);
                    }
                    self.shared.publish(self.totals);
                    counters.commit.record_time(begun.elapsed());
                    counters.batch.record(tasks.len() as u64);
                }
                Ok(results)
            }
            Err(error) => {
                self.index.undo();
                self.totals = before;
                counters.failed.fetch_add(1, Ordering::Relaxed);
                Err(self.failed(&error))
            }
        }
    }

    fn transact(&mut self, tasks: &[&Task]) -> rusqlite::Result<Results> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let changes = self.connection.total_changes();
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            match self.apply(task) {
                Ok(answer) => results.push(Ok(answer)),
                Err(Failure::Refused(error)) => results.push(Err(error)),
                Err(Failure::Sqlite(error)) => return Err(error),
            }
        }
        self.index.write(&self.connection)?;
        if self.connection.total_changes() != changes {
            self.totals.commits += 1;
            self.totals.save(&self.connection)?;
        }
        self.take_room()?;
        self.connection.execute_batch("COMMIT")?;
        Ok(results)
    }

    /// Pages of the file that removals have left unused.
    fn free_pages(&self) -> rusqlite::Result<u64> {
        let mut select = self.connection.prepare_cached("PRAGMA freelist_count")?;
        select.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    }

    /// Takes the space on the disk that the file will have after the transaction in progress.
    fn take_room(&mut self) -> rusqlite::Result<()> {
        let mut select = self.connection.prepare_cached("PRAGMA page_count")?;
        let pages: i64 = select.query_row([], |row| row.get(0))?;
        let checkpoints = self.shared.log.checkpoints.load(Ordering::Relaxed);
        if self.room.take(pages.cast_unsigned() * PAGE, checkpoints) {
            return Ok(());
        }
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None))
    }

    /// Undoes the transaction, and decides whether writing can go on.
    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        // Some errors have ended the transaction already.
        let undone =
            self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok();
        let locked = matches!(code(error), Some((ErrorCode::DatabaseBusy, _)));
        if leaves_doubt(error) || (!undone && !locked) {
            tracing::error!(%error, file = %self.shared.path.display(), "a commit failed");
            let stopped = StoreError::Stopped { path: self.shared.path.clone() };
            self.shared.stop_writes(&stopped);
            return stopped;
        }
        self.shared.translate(error)
    }

    /// Waits while the log is as large as it may be. If it has waited for too long before, it only tries:
    /// whoever keeps the log from starting again may do so for long.
    fn wait_for_log(&mut self) -> Result<(), StoreError> {
        let begun = Instant::now();
        let was_blocked = std::mem::take(&mut self.is_blocked);
        while self.shared.log.bytes() >= LARGEST {
            let snapshots = &self.shared.snapshots;
            snapshots.end_oldest(&[Reader::List, Reader::Check]);
            if begun.elapsed() > LOG_TIMEOUT / 2 {
                snapshots.end_oldest(&[Reader::Backup]);
            }
            let progress = self.shared.log.checkpoint(&self.connection);
            if progress.is_ok_and(Progress::is_complete) {
                return Ok(());
            }
            if was_blocked || begun.elapsed() > LOG_TIMEOUT {
                self.is_blocked = true;
                return Err(StoreError::Busy { why: "reads of an old state have not ended" });
            }
            std::thread::sleep(LOG_RETRY);
        }
        Ok(())
    }

    fn apply(&mut self, task: &Task) -> Result<Answer, Failure> {
        match task {
            Task::Write(write) => self.write(write).map(Answer::Write),
            Task::Start { expiry, after } => self.start_sending(*expiry, *after),
            Task::Claim { limit, lease } => self.claim(*limit, *lease, now()),
            Task::Settle { id, token, state } => self.settle(*id, *token, state),
            Task::Retry(id) => self.retry(*id, now()),
            Task::RetrySome { state, after } => self.retry_some(*state, *after, now()),
            Task::ForgetWords { after } => {
                let last = self.index.forget_words(&self.connection, after)?;
                Ok(Answer::Word(last))
            }
            Task::Close => Ok(Answer::Done),
        }
    }
}
