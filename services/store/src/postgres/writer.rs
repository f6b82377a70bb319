//! The task that changes documents: as many writes as there are in one transaction.
//!
//! It locks the one row of `status` first and keeps the lock until the commit, so of several
//! processes one at a time changes documents. Ids of new documents therefore ascend in the order
//! in which they become visible, and the numbers in the row are exact.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::ToSql;

use super::batch::{Batch, Scheduled, Stored};
use super::connection::Connection;
use super::counters::Counters;
use super::pool::{Pool, discard};
use super::removals;
use super::rows::{delivery, document};
use super::status::{self, Status};
use crate::clock::now;
use crate::{Limits, ObjectId, StoreError, Tag, Write, WriteOutcome};

/// Writes that wait at once; further ones wait where they come from.
pub(super) const QUEUE: usize = 1024;
/// Writes in one transaction.
const BATCH: usize = 512;
/// Bytes of documents in one transaction.
const BATCH_BYTES: usize = 1 << 20;

const DOCUMENTS: &str = "SELECT id, tag, CASE WHEN id = ANY($2) THEN body END, \
     octet_length(body) FROM documents WHERE id = ANY($1)";
const DELIVERIES: &str = concat!(
    "SELECT v.id, v.recipient, ",
    super::rows::delivery_columns!(),
    " FROM deliveries v WHERE v.id = ANY($1) ORDER BY v.id FOR UPDATE"
);
const REMOVE: &str = "DELETE FROM documents WHERE id = ANY($1)";
pub(super) const PUT: &str = "INSERT INTO documents (id, tag, at, tokens, body)
     SELECT i, t, a, k::tsvector, b
     FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::text[], $5::bytea[])
         AS n (i, t, a, k, b)
     ON CONFLICT (id) DO UPDATE SET tag = excluded.tag, at = excluded.at,
         tokens = excluded.tokens, body = excluded.body";
pub(super) const UNSCHEDULE: &str = "DELETE FROM deliveries WHERE id = ANY($1)";
pub(super) const SCHEDULE: &str = "INSERT INTO deliveries
         (id, tag, recipient, state, due, first, attempts, time, reason)
     SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::smallint[], $5::bigint[],
         $6::bigint[], $7::integer[], $8::bigint[], $9::text[])
     ON CONFLICT (id) DO UPDATE SET tag = excluded.tag, recipient = excluded.recipient,
         state = excluded.state, due = excluded.due, first = excluded.first,
         attempts = excluded.attempts, time = excluded.time, reason = excluded.reason,
         claim = NULL";

/// Something for the writer to do, and where the outcome goes.
#[derive(Debug)]
pub(super) enum Job {
    Write(Box<Write>, oneshot::Sender<Result<WriteOutcome, StoreError>>),
    /// Take no more writes, and say when those that have begun are done.
    Close(oneshot::Sender<()>),
}

type Results = Vec<Result<WriteOutcome, StoreError>>;

/// What the task works with.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) pool: Pool,
    pub(super) limits: Limits,
    pub(super) counters: Arc<Counters>,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Job>) {
        let mut closing = Vec::new();
        while let Some(first) = queue.recv().await {
            let (mut writes, mut replies, mut bytes) = (Vec::new(), Vec::new(), 0);
            let mut next = Some(first);
            while let Some(job) = next.take() {
                match job {
                    Job::Write(write, reply) => {
                        bytes += write.bytes();
                        writes.push(*write);
                        replies.push(reply);
                    }
                    Job::Close(reply) => {
                        closing.push(reply);
                        // What is in the queue already is done; what would come later is not taken.
                        queue.close();
                    }
                }
                if writes.len() < BATCH && bytes < BATCH_BYTES {
                    next = queue.try_recv().ok();
                }
            }
            for (reply, result) in replies.into_iter().zip(self.carry_out(&writes).await) {
                // Whoever asked may have gone.
                let _ = reply.send(result);
            }
        }
        for reply in closing {
            let _ = reply.send(());
        }
    }

    /// Does the writes in one transaction, or each in one of its own if one of them makes it fail.
    async fn carry_out(&self, writes: &[Write]) -> Results {
        if writes.is_empty() {
            return Vec::new();
        }
        let error = match self.commit(writes).await {
            Ok(results) => return results,
            Err(error) => error,
        };
        if writes.len() == 1 || !matches!(error, StoreError::Database { .. }) {
            return writes.iter().map(|_| Err(error.clone())).collect();
        }
        let mut results = Vec::with_capacity(writes.len());
        for write in writes {
            let result = self.commit(std::slice::from_ref(write)).await;
            results.push(result.and_then(|mut one| one.pop().unwrap_or(Err(error.clone()))));
        }
        results
    }

    /// Does the writes in one transaction. On an error nothing was done, or it is in doubt.
    async fn commit(&self, writes: &[Write]) -> Result<Results, StoreError> {
        let mut connection = self.pool.get().await.inspect_err(|_| self.counters.fail())?;
        let begun = Instant::now();
        let result = self.transact(&mut connection, writes).await;
        if result.is_ok() {
            self.counters.commit(begun.elapsed(), writes.len());
        } else {
            self.counters.fail();
            if !connection.is_usable() || connection.run("ROLLBACK").await.is_err() {
                discard(connection);
            }
        }
        result
    }

    async fn transact(
        &self,
        connection: &mut Connection,
        writes: &[Write],
    ) -> Result<Results, StoreError> {
        let mut batch = self.load(connection, writes).await?;
        let results: Results = writes.iter().map(|write| batch.apply(write)).collect();
        if batch.has_changed() {
            batch.status.commits += 1;
            save(connection, &batch).await?;
        } else {
            connection.run("COMMIT").await?;
        }
        Ok(results)
    }

    /// Begins a transaction, and reads what the writes are about.
    async fn load(
        &self,
        connection: &mut Connection,
        writes: &[Write],
    ) -> Result<Batch, StoreError> {
        let mut ids: Vec<ObjectId> = writes.iter().filter_map(Write::id).collect();
        ids.sort_unstable();
        ids.dedup();
        let removed: Vec<ObjectId> = writes.iter().filter_map(Write::removed).collect();
        let lock = connection.prepare(status::LOCK).await?;
        let documents = connection.prepare(DOCUMENTS).await?;
        let deliveries = connection.prepare(DELIVERIES).await?;
        connection.expect_answer();
        let client = connection.client();
        let existing: [&(dyn ToSql + Sync); 2] = [&ids, &removed];
        // All are sent before the first has an answer.
        let loaded = async {
            tokio::try_join!(
                biased;
                client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
                client.query_one(&lock, &[]),
                async {
                    if ids.is_empty() {
                        return Ok((Vec::new(), Vec::new()));
                    }
                    tokio::try_join!(
                        biased;
                        client.query(&documents, &existing),
                        client.query(&deliveries, &existing[..1]),
                    )
                },
            )
        };
        let loaded = connection.in_time(loaded).await;
        let ((), status, (documents, deliveries)) = connection.answered(loaded)?;
        let read = || {
            let status = Status::read(&status)?;
            let mut batch = Batch::new(status, self.limits, now());
            for row in &documents {
                let stored = Stored {
                    tag: row.try_get::<_, Tag>(1)?,
                    length: u64::from(row.try_get::<_, i32>(3)?.cast_unsigned()),
                    document: match row.try_get::<_, Option<&[u8]>>(2)? {
                        Some(_) => Some(document(row, 0)?),
                        None => None,
                    },
                };
                batch.load_document(row.try_get(0)?, stored);
            }
            for row in &deliveries {
                if let Some(delivery) = delivery(row, 2)? {
                    let scheduled = Scheduled { recipient: row.try_get(1)?, delivery };
                    batch.load_delivery(row.try_get(0)?, scheduled);
                }
            }
            Ok(batch)
        };
        let batch = read();
        connection.judge(batch)
    }
}

/// Writes the changes and commits them.
async fn save(connection: &mut Connection, batch: &Batch) -> Result<(), StoreError> {
    let (removed, unscheduled) = (batch.removed(), batch.removed_deliveries());
    let (documents, deliveries) = (batch.documents(), batch.deliveries());
    let remove = connection.prepare(REMOVE).await?;
    let put = connection.prepare(PUT).await?;
    let unschedule = connection.prepare(UNSCHEDULE).await?;
    let schedule = connection.prepare(SCHEDULE).await?;
    let removals = batch.removals();
    let remove_later = connection.prepare(removals::NOTE).await?;
    let save = connection.prepare(status::SAVE).await?;
    let (commits, count, bytes, last_id) = batch.status.values();
    connection.expect_answer();
    let client = connection.client();
    let status: [&(dyn ToSql + Sync); 4] = [&commits, &count, &bytes, &last_id];
    let saved = async {
        tokio::try_join!(
            biased;
            async {
                if removed.is_empty() { Ok(0) } else { client.execute(&remove, &[&removed]).await }
            },
            async {
                if documents.ids.is_empty() {
                    return Ok(0);
                }
                let rows = &documents;
                client
                    .execute(&put, &[&rows.ids, &rows.tags, &rows.times, &rows.tokens, &rows.bodies])
                    .await
            },
            async {
                if unscheduled.is_empty() {
                    return Ok(0);
                }
                client.execute(&unschedule, &[&unscheduled]).await
            },
            async {
                if deliveries.ids.is_empty() {
                    return Ok(0);
                }
                client.execute(&schedule, &deliveries.values()).await
            },
            async {
                if removals.ids.is_empty() {
                    return Ok(0);
                }
                let rows = &removals;
                client.execute(&remove_later, &[&rows.ids, &rows.tags, &rows.times]).await
            },
            client.execute(&save, &status),
            client.batch_execute("COMMIT"),
        )
    };
    let saved = connection.in_time(saved).await;
    match connection.answered(saved) {
        Ok(_) => Ok(()),
        // The connection was lost, and the commit may have come before.
        Err(StoreError::Unavailable { database, .. }) => Err(StoreError::InDoubt { database }),
        Err(error) => Err(error),
    }
}
