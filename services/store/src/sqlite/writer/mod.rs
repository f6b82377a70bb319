//! The writer: one thread with one connection makes all changes, as many as there are in one
//! commit.
//!
//! ```text
//! task       what is to be done, and what comes back
//! jobs       tasks as they come
//! apply      changes of documents
//! index      changes of the search index, in the order that FTS5 wants
//! deliveries changes of deliveries
//! removals   documents that are removed at a time
//! suppressions addresses that get no mails
//! restore    fills an empty database from a backup
//! room       limits, free space, and the space that is kept for a full disk
//! ```

mod apply;
mod deliveries;
mod index;
mod jobs;
mod removals;
mod restore;
mod room;
mod suppressions;
mod task;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, ffi};
use tokio::sync::mpsc;

use super::failure::{code, leaves_doubt, readable};
use super::log::{LARGEST, PAGE};
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
use jobs::Jobs;
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
    pub(super) fn run(mut self, queue: mpsc::Receiver<Job>) {
        let mut jobs = Jobs::new(queue);
        let mut batch = Vec::new();
        while let Some(first) = jobs.wait() {
            batch.push(first);
            self.carry_out(&mut batch, &mut jobs);
            if self.shared.log.take_finish() {
                let _ = self.shared.finish_checkpoint(&self.connection);
            }
        }
        // The file then has everything, and the next start finds no log to read.
        self.shared.snapshots.end_all();
        self.shared.pool_at_once.release_states();
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        jobs.answer_closing();
    }

    /// Does the jobs, and those that come meanwhile, in one transaction, or each in one of its own
    /// if that fails.
    fn carry_out(&mut self, batch: &mut Vec<Job>, jobs: &mut Jobs) {
        let results = match self.commit(|writer| writer.apply_batch(batch, jobs)) {
            Ok(results) => results,
            // Each of them would only wait again, and so would those that wait for them.
            Err(error @ StoreError::Busy { .. }) => {
                while batch.len() < BATCH
                    && let Some(job) = jobs.poll()
                {
                    batch.push(job);
                }
                batch.iter().map(|_| Err(error.clone())).collect()
            }
            Err(error) if batch.len() == 1 => {
                vec![self.commit_in_spare_room(&batch[0].task, error)]
            }
            Err(_) => batch.iter().map(|job| self.commit_alone(&job.task)).collect(),
        };
        for (job, result) in batch.drain(..).zip(results) {
            // Whoever asked may have gone.
            let _ = job.reply.send(result);
        }
    }

    fn commit_alone(&mut self, task: &Task) -> Result<Answer, StoreError> {
        match self.commit_one(task) {
            Err(error) => self.commit_in_spare_room(task, error),
            done => done,
        }
    }

    fn commit_one(&mut self, task: &Task) -> Result<Answer, StoreError> {
        let mut results = self.commit(|writer| Ok(vec![writer.result_of(task)?]))?;
        results.pop().expect("one result for each task")
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
            let _ = self.shared.restart_log(&self.connection);
            error = match self.commit_one(task) {
                Err(error) => error,
                done => return done,
            };
        }
        Err(error)
    }

    /// Does something in one transaction and makes it durable. On an error nothing was done.
    fn commit(
        &mut self,
        work: impl FnOnce(&mut Self) -> rusqlite::Result<Results>,
    ) -> Result<Results, StoreError> {
        self.shared.check()?;
        self.wait_for_log()?;
        let free_pages = self.free_pages().map_err(|error| self.shared.translate(&error))?;
        self.room.look(&self.shared, free_pages * PAGE);
        let begun = Instant::now();
        let before = self.totals;
        let committed = self.transact(work);
        let (changed, has_changed) = (std::mem::take(&mut self.changed), self.totals != before);
        let counters = &self.shared.counters;
        match committed {
            Ok(results) => {
                self.index.clear();
                if has_changed {
                    self.shared.make_visible(&self.totals);
                    for id in changed {
                        self.shared.cache.remove(id);
                    }
                    self.shared.publish(self.totals);
                    counters.commit.record_time(begun.elapsed());
                    counters.batch.record(results.len() as u64);
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

    fn transact(
        &mut self,
        work: impl FnOnce(&mut Self) -> rusqlite::Result<Results>,
    ) -> rusqlite::Result<Results> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let changes = self.connection.total_changes();
        let results = work(self)?;
        self.index.write(&self.connection)?;
        if self.connection.total_changes() != changes {
            self.totals.commits += 1;
            self.totals.save(&self.connection)?;
        }
        self.take_room()?;
        self.connection.execute_batch("COMMIT")?;
        Ok(results)
    }

    /// Applies the jobs of a batch, to which it adds those that come while it does.
    fn apply_batch(&mut self, batch: &mut Vec<Job>, jobs: &mut Jobs) -> rusqlite::Result<Results> {
        let (mut results, mut bytes) = (Vec::new(), 0);
        while let Some(job) = batch.get(results.len()) {
            bytes += job.task.bytes();
            results.push(self.result_of(&job.task)?);
            if results.len() == batch.len() && batch.len() < BATCH && bytes < BATCH_BYTES {
                batch.extend(jobs.poll());
            }
        }
        Ok(results)
    }

    /// What a task comes to, unless the transaction is lost.
    fn result_of(&mut self, task: &Task) -> rusqlite::Result<Result<Answer, StoreError>> {
        match self.apply(task) {
            Ok(answer) => Ok(Ok(answer)),
            Err(Failure::Refused(error)) => Ok(Err(error)),
            Err(Failure::Sqlite(error)) => Err(error),
        }
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
            if matches!(self.shared.finish_checkpoint(&self.connection), Ok(true)) {
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
            Task::RemoveDue { limit } => self.remove_due(*limit, now()),
            Task::Suppress { address, is_suppressed } => {
                self.suppress(*address, *is_suppressed, now())?;
                Ok(Answer::Done)
            }
            Task::ForgetWords { after } => {
                let last = self.index.forget_words(&self.connection, after)?;
                Ok(Answer::Word(last))
            }
            Task::Close => Ok(Answer::Done),
        }
    }
}
