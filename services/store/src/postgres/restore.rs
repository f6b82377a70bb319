//! Puts a backup in the place of what a database has.

use std::collections::HashSet;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::ToSql;

use super::batch::{DeliveryRows, RemovalRows, Scheduled};
use super::connection::Connection;
use super::deliveries::EXPIRE;
use super::health::Health;
use super::open::wait_for;
use super::schema::{self, MIGRATIONS, prepare};
use super::status::{self, Status};
use super::writer::{PUT, SCHEDULE, UNSCHEDULE};
use super::{removals, suppressions, url};
use crate::backup::{self, Item};
use crate::clock::now;
use crate::columns::{after_bytes, signed};
use crate::{
    BackupError, BackupSummary, DatabaseUrl, Delivery, DeliveryState, Document, Facts, ObjectId,
    Settings, StoreError, Tag, tokens,
};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(610);
/// Documents or deliveries in one statement, and bytes of their documents.
const BATCH: usize = 1000;
const BATCH_BYTES: usize = 1 << 20;

/// Deliveries whose mail was sent, or is being sent: they stay as they are, with their claims.
const KEPT: &str = "SELECT id, tag FROM deliveries WHERE id = ANY($1) AND state IN (1, 2)
     ORDER BY id FOR UPDATE";
/// Documents between those of the backup.
const REMOVE: &str = "DELETE FROM documents WHERE id > $1 AND id <= $2 AND id <> ALL($3)";
const REMOVE_REST: &str = "DELETE FROM documents WHERE id > $1";
const UNSCHEDULE_REST: &str = "DELETE FROM deliveries v
     WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = v.id)";
/// Deliveries of documents that ask for the same mail. What was sent stays sent, and what is being
/// sent is settled by whoever sends it.
const DELIVER: &str = "UPDATE deliveries v SET state = n.state,
         due = CASE WHEN n.state = 0 AND n.due = 0 THEN coalesce(v.due, $9) ELSE n.due END,
         first = n.first, attempts = n.attempts, time = n.time, reason = n.reason, claim = NULL
     FROM unnest($1::bytea[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[],
         $6::integer[], $7::bigint[], $8::text[])
         AS n (id, tag, state, due, first, attempts, time, reason)
     WHERE v.id = n.id AND v.tag = n.tag AND v.state NOT IN (1, 2)";
const SAVE: &str = "UPDATE status SET epoch = $1, commits = commits + 1, documents = $2,
     bytes = $3, last_id = greatest(last_id, $4), mail_since = $5";

/// Puts a backup in the place of what a database has of its collection. Without `replace` it is an
/// error if it has anything. It is one transaction: what was there stays, and is served, until it
/// has ended. Mails that were sent since the backup stay sent.
pub async fn restore_database(
    url: &DatabaseUrl,
    settings: &Settings,
    reader: &mut dyn BufRead,
    replace: bool,
) -> Result<BackupSummary, BackupError> {
    let mut lines = backup::Reader::new(reader, Some(settings.collection))?;
    let health = Arc::new(Health::new(url::name(url).map_err(StoreError::from)?));
    let mut connection = wait_for(url, settings.collection, &health).await?;
    prepare(&mut connection, &health, settings.collection, MIGRATIONS).await?;
    // Whoever sends the backup may be slow.
    connection.set_patience(PATIENCE);
    connection
        .run(
            "BEGIN; SET LOCAL statement_timeout = '600s'; SET LOCAL lock_timeout = '30s';
             SET LOCAL idle_in_transaction_session_timeout = '600s'",
        )
        .await?;
    let status = Status::of(&mut connection, status::LOCK).await?;
    if status.documents > 0 && !replace {
        return Err(BackupError::Exists(health.database().into()));
    }
    let epoch = schema::draw(&health)?;
    let mut restorer = Restorer { connection, settings: *settings, last: None, bytes: 0 };
    let (summary, since) = restorer.read(&mut lines).await?;
    restorer.save(epoch, summary.documents, since, &status).await?;
    let Restorer { mut connection, .. } = restorer;
    connection.run("COMMIT").await.map_err(|error| match error {
        StoreError::Unavailable { database, .. } => StoreError::InDoubt { database },
        other => other,
    })?;
    analyze(&mut connection).await;
    Ok(summary)
}

/// When documents are to be removed.
fn removals_of(documents: &[Document], facts: &[Facts]) -> RemovalRows {
    let mut rows = RemovalRows::default();
    for (document, facts) in documents.iter().zip(facts) {
        if let Some(at) = facts.remove_at {
            rows.push(document.id, document.tag, at);
        }
    }
    rows
}

/// Has searches be planned for what is there now. Without it they are until the server does it.
async fn analyze(connection: &mut Connection) {
    let analyzed = async {
        connection.run("SET statement_timeout = '600s'").await?;
        connection.run("ANALYZE documents").await
    };
    if let Err(error) = analyzed.await {
        tracing::warn!(%error, "the restored data were not analyzed");
    }
}

/// Reads a backup into a database.
struct Restorer {
    connection: Connection,
    settings: Settings,
    /// The last document that was restored.
    last: Option<ObjectId>,
    bytes: u64,
}

impl Restorer {
    /// Reads all of it. Returns also since when mails are sent.
    async fn read(
        &mut self,
        lines: &mut backup::Reader<'_>,
    ) -> Result<(BackupSummary, Option<u64>), BackupError> {
        let (mut documents, mut deliveries) = (Vec::new(), Vec::new());
        let (mut bytes, mut since, mut is_past_documents) = (0, None, false);
        loop {
            let item = lines.read()?;
            if !matches!(item, Item::Document(_)) && !is_past_documents {
                is_past_documents = true;
                self.put(std::mem::take(&mut documents)).await?;
                self.remove_rest().await?;
            }
            match item {
                Item::Document(document) => {
                    bytes += document.bytes.len();
                    documents.push(document);
                }
                Item::Delivery(id, delivery) => deliveries.push((id, delivery)),
                Item::Suppression(suppression) => {
                    suppressions::add(&mut self.connection, &[suppression]).await?;
                }
                Item::MailSince(time) => since = Some(time),
                Item::End(summary) => {
                    self.deliver(deliveries).await?;
                    return Ok((summary, since));
                }
            }
            if documents.len() >= BATCH || bytes >= BATCH_BYTES {
                self.put(std::mem::take(&mut documents)).await?;
                bytes = 0;
            }
            if deliveries.len() >= BATCH {
                self.deliver(std::mem::take(&mut deliveries)).await?;
            }
        }
    }

    /// Stores documents in the place of all up to the last of them.
    async fn put(&mut self, documents: Vec<Document>) -> Result<(), StoreError> {
        let Some(last) = documents.last().map(|document| document.id) else { return Ok(()) };
        let ids: Vec<_> = documents.iter().map(|document| document.id).collect();
        let tags: Vec<_> = documents.iter().map(|document| document.tag).collect();
        let bodies: Vec<_> = documents.iter().map(|document| document.bytes.as_ref()).collect();
        let facts: Vec<_> = bodies.iter().map(|body| (self.settings.facts)(body)).collect();
        let search = || facts.iter().map(|facts| facts.search.as_ref());
        let times: Vec<_> = search().map(|facts| facts.map(|facts| facts.at)).collect();
        let tokens: Vec<_> = search().map(|facts| facts.map(tokens::of_facts)).collect();
        let kept = self.kept(&documents, &ids).await?;
        let scheduled: Vec<_> = documents
            .iter()
            .zip(&facts)
            .filter(|(document, _)| !kept.contains(&document.id))
            .filter_map(|(document, facts)| Some((document, facts.delivery.as_ref()?)))
            .map(|(document, schedule)| {
                let state = DeliveryState::Scheduled { due: schedule.due, failures: None };
                let delivery = Delivery { state, tag: document.tag };
                let recipient = schedule.recipient.clone();
                (document.id, Scheduled { recipient, delivery })
            })
            .collect();
        let replaced: Vec<_> = ids.iter().filter(|id| !kept.contains(id)).copied().collect();
        let mut rows = DeliveryRows::default();
        for (id, scheduled) in &scheduled {
            rows.push(*id, scheduled);
        }
        let connection = &mut self.connection;
        let after = after_bytes(self.last.as_ref());
        connection.execute(REMOVE, &[&after, &last, &ids]).await?;
        connection.execute(PUT, &[&ids, &tags, &times, &tokens, &bodies]).await?;
        connection.execute(UNSCHEDULE, &[&replaced]).await?;
        connection.execute(SCHEDULE, &rows.values()).await?;
        let rows = removals_of(&documents, &facts);
        connection.execute(removals::NOTE, &[&rows.ids, &rows.tags, &rows.times]).await?;
        self.bytes += bodies.iter().map(|body| body.len() as u64).sum::<u64>();
        self.last = Some(last);
        Ok(())
    }

    /// Documents whose mails were sent or are being sent as the backup has them: an older backup
    /// must not have them sent again.
    async fn kept(
        &mut self,
        documents: &[Document],
        ids: &[ObjectId],
    ) -> Result<HashSet<ObjectId>, StoreError> {
        let rows = self.connection.query(KEPT, &[&ids]).await?;
        let read = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let read = read.collect::<Result<Vec<(ObjectId, Tag)>, tokio_postgres::Error>>();
        let read = self.connection.judge(read)?;
        let is_same = |(id, tag): &(ObjectId, Tag)| {
            let at = documents.binary_search_by_key(id, |document| document.id);
            at.is_ok_and(|at| documents[at].tag == *tag)
        };
        Ok(read.into_iter().filter(is_same).map(|(id, _)| id).collect())
    }

    /// Removes what comes after the last document of the backup.
    async fn remove_rest(&mut self) -> Result<(), StoreError> {
        let after = after_bytes(self.last.as_ref());
        self.connection.execute(REMOVE_REST, &[&after]).await?;
        self.connection.execute(UNSCHEDULE_REST, &[]).await?;
        Ok(())
    }

    /// Gives deliveries of restored documents the state that they had.
    async fn deliver(&mut self, deliveries: Vec<(ObjectId, Delivery)>) -> Result<(), StoreError> {
        let scheduled: Vec<_> = deliveries
            .into_iter()
            .map(|(id, delivery)| (id, Scheduled { recipient: String::new(), delivery }))
            .collect();
        let mut rows = DeliveryRows::default();
        for (id, scheduled) in &scheduled {
            rows.push(*id, scheduled);
        }
        let now = signed(now());
        let [ids, tags, _, states, due, first, attempts, times, reasons] = rows.values();
        let values: [&(dyn ToSql + Sync); 9] =
            [ids, tags, states, due, first, attempts, times, reasons, &now];
        self.connection.execute(DELIVER, &values).await?;
        Ok(())
    }

    async fn save(
        &mut self,
        epoch: i64,
        documents: u64,
        since: Option<u64>,
        before: &Status,
    ) -> Result<(), StoreError> {
        let now = signed(now());
        // Services that run send mails already: what is overdue in a backup from before that is not
        // to be sent.
        if let (None, Some(_), Some(expiry)) = (since, before.mail_since, before.mail_expiry) {
            let overdue = now.saturating_sub(signed(expiry));
            self.connection.execute(EXPIRE, &[&now, &overdue]).await?;
        }
        let since = since.or(before.mail_since).map(signed);
        let (documents, bytes) = (documents.cast_signed(), self.bytes.cast_signed());
        let last = after_bytes(self.last.as_ref());
        self.connection.execute(SAVE, &[&epoch, &documents, &bytes, &last, &since]).await?;
        Ok(())
    }
}
