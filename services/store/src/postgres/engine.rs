//! The trait's methods.

use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::rows::document;
use super::status::{self, Status};
use super::writer::Job;
use super::{PostgresStore, backup, deliveries, list, removals, schema, search, suppressions};
use crate::mutex::lock;
use crate::{
    AddressDigest, BackupError, BackupSummary, Claim, Condition, Delivery, DeliveryFilter,
    DeliveryState, Document, Found, Listing, ObjectId, Page, RetryOutcome, Revision, Search,
    StateName, Statistics, Store, StoreError, StoreFuture, Write, WriteOutcome,
};

/// How long a write waits for a place in the queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

const GET: &str = "SELECT id, tag, body FROM documents WHERE id = $1";
const DELIVERIES: &str = "SELECT state, count(*) FROM deliveries GROUP BY state";
/// Bytes of the tables with their indexes.
const SIZE: &str = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
     WHERE relnamespace = current_schema::regnamespace AND relkind = 'r'";

impl PostgresStore {
    /// Puts a write into the queue. It is there when this returns, unless that is full.
    fn ask(&self, write: Write) -> StoreFuture<'_, WriteOutcome> {
        let (reply, answer) = oneshot::channel();
        let unsent = match self.queue.try_send(Job::Write(Box::new(write), reply)) {
            Ok(()) => None,
            Err(TrySendError::Full(job)) => Some(job),
            Err(TrySendError::Closed(_)) => {
                return Box::pin(async { Err(StoreError::Interrupted) });
            }
        };
        Box::pin(async move {
            if let Some(job) = unsent {
                let sent = tokio::time::timeout(QUEUE_TIMEOUT, self.queue.send(job)).await;
                let busy = StoreError::Busy { why: "too many writes are waiting" };
                sent.map_err(|_| busy)?.map_err(|_| StoreError::Interrupted)?;
            }
            answer.await.unwrap_or(Err(StoreError::Interrupted))
        })
    }

    async fn status(&self) -> Result<Status, StoreError> {
        let mut connection = self.pool.get().await?;
        Status::of(&mut connection, status::SELECT).await
    }

    async fn read_statistics(&self) -> Result<Statistics, StoreError> {
        let mut connection = self.pool.get().await?;
        let status = Status::of(&mut connection, status::SELECT).await?;
        let rows = connection.query(DELIVERIES, &[]).await?;
        let mut counts = StateName::ALL.map(|state| (state, 0));
        for row in rows {
            let row = row.try_get(0).and_then(|state| Ok((state, row.try_get::<_, i64>(1)?)));
            let (state, count): (i16, i64) = connection.judge(row)?;
            let place = usize::try_from(state).ok().and_then(|state| counts.get_mut(state));
            if let Some((_, place)) = place {
                *place = count.cast_unsigned();
            }
        }
        let size = connection.query(SIZE, &[]).await?;
        let size: i64 = connection.judge(size[0].try_get(0))?;
        Ok(Statistics {
            documents: status.documents,
            bytes: status.bytes,
            file_bytes: size.cast_unsigned(),
            deliveries: counts,
            ..self.counted()
        })
    }

    /// What this process has counted.
    fn counted(&self) -> Statistics {
        Statistics {
            documents: 0,
            bytes: 0,
            file_bytes: 0,
            log_bytes: 0,
            deliveries: StateName::ALL.map(|state| (state, 0)),
            batch_writes: self.counters.batch.read(),
            commit_seconds: self.counters.commit.read(),
            failed_commits: self.counters.failed.load(Ordering::Relaxed),
            checkpoints: 0,
            cache_hits: 0,
            cache_misses: self.counters.reads.load(Ordering::Relaxed),
            open_lists: (self.places - self.lists.available_permits()) as u64,
            damaged_documents: self.health.damaged(),
        }
    }

    async fn fresh_statistics(&self) -> Statistics {
        if self.health.check().is_ok()
            && let Ok(statistics) = self.read_statistics().await
        {
            *lock(&self.last_statistics) = Some(statistics.clone());
            return statistics;
        }
        let last = lock(&self.last_statistics).clone();
        last.map_or_else(
            || self.counted(),
            |last| Statistics {
                documents: last.documents,
                bytes: last.bytes,
                file_bytes: last.file_bytes,
                deliveries: last.deliveries,
                ..self.counted()
            },
        )
    }
}

impl Store for PostgresStore {
    fn engine(&self) -> &'static str {
        "postgresql"
    }

    fn get(&self, id: ObjectId) -> StoreFuture<'_, Option<Document>> {
        self.counters.reads.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let mut connection = self.pool.get().await?;
            let Some(row) = connection.query_opt(GET, &[&id]).await? else { return Ok(None) };
            let document = connection.judge(document(&row, 0))?;
            self.health.sound(document).map(Some)
        })
    }

    fn get_at_once(&self, _id: ObjectId) -> Option<Result<Option<Document>, StoreError>> {
        // Other processes change documents, so none is kept.
        None
    }

    fn write(&self, write: Write) -> StoreFuture<'_, WriteOutcome> {
        self.ask(write)
    }

    fn list(&self, page: Page) -> StoreFuture<'_, Listing> {
        Box::pin(async move {
            match page.limit {
                Some(limit) => list::read_page(&self.pool, &self.health, page.after, limit).await,
                None => list::begin(&self.pool, &self.health, &self.lists, page.after).await,
            }
        })
    }

    fn search(&self, search: Search) -> StoreFuture<'_, Option<Found>> {
        Box::pin(async move { search::search(&self.pool, &self.health, &search).await })
    }

    fn deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> StoreFuture<'_, Vec<(Document, Option<Delivery>)>> {
        Box::pin(async move { deliveries::select(&self.pool, &self.health, &filter).await })
    }

    fn delivery(&self, id: ObjectId) -> StoreFuture<'_, Option<(Document, Option<Delivery>)>> {
        Box::pin(deliveries::get(&self.pool, &self.health, id))
    }

    fn start_sending(&self, expiry: Duration) -> StoreFuture<'_, ()> {
        Box::pin(deliveries::start_sending(&self.changes, expiry))
    }

    fn claim(&self, limit: usize, lease: Duration) -> StoreFuture<'_, Vec<Claim>> {
        Box::pin(deliveries::claim(&self.changes, &self.health, limit, lease))
    }

    fn settle(&self, claim: &Claim, state: DeliveryState) -> StoreFuture<'_, bool> {
        let (id, token) = (claim.document.id, claim.token());
        Box::pin(async move { deliveries::settle(&self.changes, id, token, &state).await })
    }

    fn retry(&self, id: ObjectId) -> StoreFuture<'_, RetryOutcome> {
        Box::pin(deliveries::retry(&self.changes, id))
    }

    fn retry_all(&self, state: StateName) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            if !matches!(state, StateName::Failed | StateName::Expired) {
                return Ok(0);
            }
            deliveries::retry_all(&self.changes, state).await
        })
    }

    fn next_due(&self) -> StoreFuture<'_, Option<u64>> {
        Box::pin(deliveries::next_due(&self.changes))
    }

    fn remove_due(&self, limit: usize) -> StoreFuture<'_, usize> {
        Box::pin(async move {
            let due = removals::due(&self.changes, limit).await?;
            for (id, tag) in &due {
                // One that was replaced stays.
                self.ask(Write::Remove { id: *id, condition: Condition::only(*tag) }).await?;
                removals::forget(&self.changes, *id, *tag).await?;
            }
            Ok(due.len())
        })
    }

    fn suppress(&self, address: AddressDigest, is_suppressed: bool) -> StoreFuture<'_, ()> {
        Box::pin(suppressions::suppress(&self.changes, address, is_suppressed))
    }

    fn is_suppressed(&self, address: AddressDigest) -> StoreFuture<'_, bool> {
        Box::pin(suppressions::contains(&self.pool, address))
    }

    fn revision(&self) -> StoreFuture<'_, Revision> {
        Box::pin(async move { Ok(self.status().await?.revision()) })
    }

    fn check(&self) -> Result<(), StoreError> {
        self.health.check()
    }

    fn statistics(&self) -> Pin<Box<dyn Future<Output = Statistics> + Send + '_>> {
        Box::pin(self.fresh_statistics())
    }

    fn back_up(&self, out: &mut dyn io::Write) -> Result<BackupSummary, BackupError> {
        let (runtime, level) = (Handle::current(), schema::known());
        backup::back_up(&self.pool, &self.health, self.collection, &runtime, level, out)
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        let (reply, done) = oneshot::channel();
        Box::pin(async move {
            // It was closed before, or is done now.
            if self.queue.send(Job::Close(reply)).await.is_ok() {
                let _ = done.await;
            }
            Ok(())
        })
    }
}
