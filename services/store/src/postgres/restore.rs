//! Puts a backup in the place of what a database has.

use std::io::BufRead;
use std::sync::Arc;

use tokio_postgres::types::ToSql;

use super::batch::{DeliveryRows, Scheduled};
use super::connection::Connection;
use super::health::Health;
use super::list::status_of;
use super::open::wait_for;
use super::rows::{after_bytes, delivery, delivery_columns};
use super::schema::{self, MIGRATIONS, prepare};
use super::status::{self, Status};
use super::url;
use super::writer::{PUT, SCHEDULE};
use crate::backup::{self, Item};
use crate::clock::now;
use crate::columns::signed;
use crate::{
    BackupError, BackupSummary, DatabaseUrl, Delivery, DeliveryState, Document, ObjectId, Settings,
    StoreError, tokens,
};

/// Documents or deliveries in one statement, and bytes of their documents.
const BATCH: usize = 1000;
const BATCH_BYTES: usize = 1 << 20;

const SENT: &str = concat!(
    "SELECT v.id, ",
    delivery_columns!(),
    " FROM deliveries v WHERE v.id = ANY($1) AND v.state = 2"
);
/// Documents between those of the backup.
const REMOVE: &str = "DELETE FROM documents WHERE id > $1 AND id <= $2 AND id <> ALL($3)";
const REMOVE_REST: &str = "DELETE FROM documents WHERE id > $1";
const UNSCHEDULE: &str = "DELETE FROM deliveries v WHERE v.id = ANY($1)";
const UNSCHEDULE_REST: &str = "DELETE FROM deliveries v
     WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = v.id)";
/// Deliveries of documents that ask for the same mail. What was sent stays sent.
const DELIVER: &str = "UPDATE deliveries v SET state = n.state,
         due = CASE WHEN n.state = 0 AND n.due = 0 THEN coalesce(v.due, $9) ELSE n.due END,
         first = n.first, attempts = n.attempts, time = n.time, reason = n.reason, claim = NULL
     FROM unnest($1::bytea[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[],
         $6::integer[], $7::bigint[], $8::text[])
         AS n (id, tag, state, due, first, attempts, time, reason)
     WHERE v.id = n.id AND v.tag = n.tag AND v.state <> 2";
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
    connection
        .run(
            "BEGIN; SET LOCAL statement_timeout = '600s'; SET LOCAL lock_timeout = '30s';
              SET LOCAL idle_in_transaction_session_timeout = '600s'",
        )
        .await?;
    let row = connection.query(status::LOCK, &[]).await?;
    let status: Status = connection.judge(status_of(&row))?;
    if status.documents > 0 && !replace {
        return Err(BackupError::Exists(health.database().into()));
    }
    let epoch = schema::draw(&health)?;
    let mut restorer = Restorer { connection, settings: *settings, last: None, bytes: 0 };
    let (summary, since) = restorer.read(&mut lines).await?;
    restorer.save(epoch, summary.documents, since).await?;
    let Restorer { mut connection, .. } = restorer;
    connection.run("COMMIT").await?;
    // Searches are planned by what it finds.
    connection.run("ANALYZE documents").await?;
    Ok(summary)
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
        let sent = self.sent(&ids).await?;
        let scheduled: Vec<_> = documents
            .iter()
            .zip(&facts)
            .filter_map(|(document, facts)| Some((document, facts.delivery.as_ref()?)))
            .map(|(document, schedule)| {
                let tag = document.tag;
                let sent = sent.iter().find(|(id, it)| *id == document.id && it.tag == tag);
                let due = DeliveryState::Scheduled { due: schedule.due, failures: None };
                let state = sent.map_or(due, |(_, sent)| sent.state.clone());
                let recipient = schedule.recipient.clone();
                (document.id, Scheduled { recipient, delivery: Delivery { state, tag } })
            })
            .collect();
        let mut rows = DeliveryRows::default();
        for (id, scheduled) in &scheduled {
            rows.push(*id, scheduled);
        }
        let connection = &mut self.connection;
        let after = after_bytes(self.last.as_ref());
        connection.execute(REMOVE, &[&after, &last, &ids]).await?;
        connection.execute(PUT, &[&ids, &tags, &times, &tokens, &bodies]).await?;
        connection.execute(UNSCHEDULE, &[&ids]).await?;
        connection.execute(SCHEDULE, &rows.values()).await?;
        self.bytes += bodies.iter().map(|body| body.len() as u64).sum::<u64>();
        self.last = Some(last);
        Ok(())
    }

    /// The mails of these documents that were sent: an older backup must not have them sent again.
    async fn sent(&mut self, ids: &[ObjectId]) -> Result<Vec<(ObjectId, Delivery)>, StoreError> {
        let rows = self.connection.query(SENT, &[&ids]).await?;
        let mut sent = Vec::with_capacity(rows.len());
        for row in &rows {
            let read = row.try_get(0).and_then(|id| Ok((id, delivery(row, 1)?)));
            let (id, delivery) = self.connection.judge(read)?;
            sent.extend(delivery.map(|delivery| (id, delivery)));
        }
        Ok(sent)
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
    ) -> Result<(), StoreError> {
        let (documents, bytes) = (documents.cast_signed(), self.bytes.cast_signed());
        let (last, since) = (after_bytes(self.last.as_ref()), since.map(signed));
        self.connection.execute(SAVE, &[&epoch, &documents, &bytes, &last, &since]).await?;
        Ok(())
    }
}
