//! The trait's methods, by the writer and on threads that may wait.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::shared::Shared;
use super::writer::{Answer, Job, Task};
use super::{SqliteStore, backup, deliveries, list, search, suppressions};
use crate::{
    AddressDigest, BackupError, BackupSummary, Claim, Delivery, DeliveryFilter, DeliveryState,
    Document, Found, Listing, ObjectId, Page, RetryOutcome, Revision, Search, StateName,
    Statistics, Store, StoreError, StoreFuture, Write, WriteOutcome,
};

/// How long a task waits for a place in the writer's queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

impl SqliteStore {
    /// Has the writer do something. It is in the queue when this returns, unless that is full.
    fn ask(&self, task: Task) -> StoreFuture<'_, Answer> {
        let (reply, answer) = oneshot::channel();
        let Some(queue) = &self.queue else {
            return Box::pin(async { Err(StoreError::Interrupted) });
        };
        let unsent = match queue.try_send(Job { task, reply }) {
            Ok(()) => None,
            Err(TrySendError::Full(job)) => Some(job),
            Err(TrySendError::Closed(_)) => {
                return Box::pin(async { Err(StoreError::Interrupted) });
            }
        };
        Box::pin(async move {
            if let Some(job) = unsent {
                let sent = tokio::time::timeout(QUEUE_TIMEOUT, queue.send(job)).await;
                let busy = StoreError::Busy { why: "too many writes are waiting" };
                sent.map_err(|_| busy)?.map_err(|_| StoreError::Interrupted)?;
            }
            answer.await.unwrap_or(Err(StoreError::Interrupted))
        })
    }

    /// Runs a read on a thread that may wait.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Arc<Shared>) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let result = spawn_blocking(move || read(&shared)).await;
            result.unwrap_or(Err(StoreError::Interrupted))
        })
    }

    /// Repeats a task that does its work in steps. Returns how much it has done.
    async fn in_steps(&self, step: impl Fn(Option<ObjectId>) -> Task) -> Result<u64, StoreError> {
        let (mut all, mut after) = (0, None);
        loop {
            let answer = self.ask(step(after)).await.map_err(|error| error.after(all))?;
            let Answer::Some(count, last) = answer else { return Ok(all) };
            all += count;
            after = last;
            if last.is_none() {
                return Ok(all);
            }
        }
    }

    fn read_statistics(&self) -> Statistics {
        let shared = &self.shared;
        let totals = shared.totals();
        let (cache_hits, cache_misses) = shared.cache.counts();
        let counters = &shared.counters;
        let states = StateName::ALL;
        Statistics {
            documents: totals.documents,
            bytes: totals.bytes,
            file_bytes: std::fs::metadata(&shared.path).map_or(0, |file| file.len()),
            log_bytes: shared.log.file_bytes(),
            deliveries: states.map(|state| (state, totals.deliveries[state as usize])),
            batch_writes: counters.batch.read(),
            commit_seconds: counters.commit.read(),
            failed_commits: counters.failed.load(Ordering::Relaxed),
            checkpoints: shared.log.checkpoints.load(Ordering::Relaxed),
            cache_hits,
            cache_misses,
            open_lists: shared.snapshots.lists() as u64,
            damaged_documents: counters.damaged.load(Ordering::Relaxed),
        }
    }

    /// Checks the structure of the file now, which takes a while. What it finds is remembered
    /// and makes [`Store::check`] and backups fail. It blocks.
    pub fn check_file(&self) -> Result<(), StoreError> {
        super::maintenance::check(&self.shared)
    }
}

impl Store for SqliteStore {
    fn engine(&self) -> &'static str {
        "sqlite"
    }

    fn get(&self, id: ObjectId) -> StoreFuture<'_, Option<Document>> {
        if let Some(document) = self.shared.cache.get(id) {
            return Box::pin(async { Ok(Some(document)) });
        }
        self.read(move |shared| shared.get(id))
    }

    fn get_at_once(&self, id: ObjectId) -> Option<Result<Option<Document>, StoreError>> {
        self.shared.get_at_once(id)
    }

    fn write(&self, write: Write) -> StoreFuture<'_, WriteOutcome> {
        let answer = self.ask(Task::Write(write));
        Box::pin(async move {
            match answer.await? {
                Answer::Write(outcome) => Ok(outcome),
                _ => Err(StoreError::Interrupted),
            }
        })
    }

    fn list(&self, page: Page) -> StoreFuture<'_, Listing> {
        self.read(move |shared| list::list(shared, page))
    }

    fn search(&self, search: Search) -> StoreFuture<'_, Option<Found>> {
        self.read(move |shared| search::search(shared, &search))
    }

    fn deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> StoreFuture<'_, Vec<(Document, Option<Delivery>)>> {
        self.read(move |shared| deliveries::select(shared, &filter))
    }

    fn delivery(&self, id: ObjectId) -> StoreFuture<'_, Option<(Document, Option<Delivery>)>> {
        self.read(move |shared| deliveries::get(shared, id))
    }

    fn start_sending(&self, expiry: Duration) -> StoreFuture<'_, ()> {
        Box::pin(
            async move { self.in_steps(|after| Task::Start { expiry, after }).await.map(drop) },
        )
    }

    fn claim(&self, limit: usize, lease: Duration) -> StoreFuture<'_, Vec<Claim>> {
        let answer = self.ask(Task::Claim { limit, lease });
        Box::pin(async move {
            match answer.await? {
                Answer::Claims(claims) => Ok(claims),
                _ => Err(StoreError::Interrupted),
            }
        })
    }

    fn settle(&self, claim: &Claim, state: DeliveryState) -> StoreFuture<'_, bool> {
        let (id, token) = (claim.document.id, claim.token());
        let answer = self.ask(Task::Settle { id, token, state });
        Box::pin(async move { Ok(matches!(answer.await?, Answer::Settled(true))) })
    }

    fn retry(&self, id: ObjectId) -> StoreFuture<'_, RetryOutcome> {
        let answer = self.ask(Task::Retry(id));
        Box::pin(async move {
            match answer.await? {
                Answer::Retry(outcome) => Ok(outcome),
                _ => Err(StoreError::Interrupted),
            }
        })
    }

    fn retry_all(&self, state: StateName) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            if !matches!(state, StateName::Failed | StateName::Expired) {
                return Ok(0);
            }
            self.in_steps(|after| Task::RetrySome { state, after }).await
        })
    }

    fn next_due(&self) -> StoreFuture<'_, Option<u64>> {
        self.read(|shared| deliveries::next_due(shared))
    }

    fn remove_due(&self, limit: usize) -> StoreFuture<'_, usize> {
        let answer = self.ask(Task::RemoveDue { limit });
        Box::pin(async move {
            match answer.await? {
                Answer::Count(count) => Ok(count),
                _ => Err(StoreError::Interrupted),
            }
        })
    }

    fn suppress(&self, address: AddressDigest, is_suppressed: bool) -> StoreFuture<'_, ()> {
        let answer = self.ask(Task::Suppress { address, is_suppressed });
        Box::pin(async move { answer.await.map(drop) })
    }

    fn is_suppressed(&self, address: AddressDigest) -> StoreFuture<'_, bool> {
        self.read(move |shared| suppressions::contains(shared, address))
    }

    fn revision(&self) -> StoreFuture<'_, Revision> {
        Box::pin(std::future::ready(Ok(self.shared.revision())))
    }

    fn check(&self) -> Result<(), StoreError> {
        self.shared.check()
    }

    fn statistics(&self) -> Pin<Box<dyn Future<Output = Statistics> + Send + '_>> {
        Box::pin(std::future::ready(self.read_statistics()))
    }

    fn back_up(&self, out: &mut dyn io::Write) -> Result<BackupSummary, BackupError> {
        backup::back_up(&self.shared, out)
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        let answer = self.ask(Task::Close);
        Box::pin(async move {
            match answer.await {
                // It was closed before.
                Ok(_) | Err(StoreError::Interrupted) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }
}
