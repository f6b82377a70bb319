//! Reads and changes deliveries.

use std::time::Duration;

use tokio_postgres::Row;

use super::health::Health;
use super::list::Transaction;
use super::pool::Pool;
use super::rows::{delivery, delivery_columns, document, state_number, text};
use super::status::{self, Status};
use crate::clock::now;
use crate::columns::{Columns, after_bytes, number, rows, signed};
use crate::delivery::millis;
use crate::{
    Claim, Delivery, DeliveryFilter, DeliveryState, Document, ObjectId, RetryOutcome, StateName,
    StoreError,
};

/// How long an answer about all deliveries is waited for.
const LONG_PATIENCE: Duration = Duration::from_secs(70);
/// Deliveries that one statement retries.
const STEP: i64 = 1000;

macro_rules! select_from {
    ($from:literal) => {
        concat!("SELECT d.id, d.tag, d.body, ", delivery_columns!(), " FROM ", $from)
    };
}

const GET: &str = select_from!("documents d LEFT JOIN deliveries v ON v.id = d.id WHERE d.id = $1");
const BY_RECIPIENT: &str = select_from!(
    "deliveries v JOIN documents d ON d.id = v.id WHERE v.recipient = $1 AND v.id > $2
     AND ($3::smallint IS NULL OR v.state = $3) ORDER BY v.id LIMIT $4"
);
const BY_STATE: &str = select_from!(
    "deliveries v JOIN documents d ON d.id = v.id WHERE v.state = $1 AND v.id > $2
     ORDER BY v.id LIMIT $3"
);
const ALL: &str = select_from!(
    "documents d LEFT JOIN deliveries v ON v.id = d.id WHERE d.id > $1 ORDER BY d.id LIMIT $2"
);
const NEXT_DUE: &str = "SELECT min(due) FROM deliveries WHERE due IS NOT NULL";
/// By the clock of the database, which all processes share. What others are claiming is passed
/// over.
const CLAIM: &str = concat!(
    "WITH time AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now),
     next AS MATERIALIZED (
         SELECT id, due FROM deliveries
         WHERE due <= (SELECT now FROM time) ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED
     ),
     v AS (
         UPDATE deliveries o
         SET state = 1, due = (SELECT now FROM time) + $2, claim = nextval('claims')
         FROM next WHERE o.id = next.id
         RETURNING o.*, next.due AS was_due
     )
     SELECT d.id, d.tag, d.body, ",
    delivery_columns!(),
    ", v.claim FROM v JOIN documents d ON d.id = v.id ORDER BY v.was_due"
);
const SETTLE: &str = "UPDATE deliveries SET state = $3, due = $4, first = $5, attempts = $6,
     time = $7, reason = $8, claim = NULL WHERE id = $1 AND claim = $2";
const RETRY: &str = "UPDATE deliveries SET state = 0, due = $2, first = NULL, attempts = NULL,
     time = NULL, reason = NULL, claim = NULL WHERE id = $1 AND state IN (3, 4)";
const EXISTS: &str = "SELECT 1 FROM deliveries WHERE id = $1";
const RETRY_SOME: &str = "WITH v AS (
         UPDATE deliveries SET state = 0, due = $2, first = NULL,
             attempts = NULL, time = NULL, reason = NULL, claim = NULL
         WHERE state = $1 AND id IN (
             SELECT id FROM deliveries WHERE state = $1 AND id > $4
             ORDER BY id LIMIT $3 FOR UPDATE)
         RETURNING id)
     SELECT id FROM v ORDER BY id";
pub(super) const EXPIRE: &str = "UPDATE deliveries SET state = 4, due = NULL, time = $1
     WHERE state = 0 AND due < $2";
const START: &str = "UPDATE status SET mail_since = coalesce(mail_since, $1), mail_expiry = $2";

/// A document and its delivery.
type Found = (Document, Option<Delivery>);

/// The documents that a filter selects.
pub(super) async fn select(
    pool: &Pool,
    health: &Health,
    filter: &DeliveryFilter,
) -> Result<Vec<Found>, StoreError> {
    let mut connection = pool.get().await?;
    let (after, limit) = (after_bytes(filter.after.as_ref()), rows(filter.limit));
    let state = filter.state.map(|state| state_number(number(state)));
    let rows = match (&filter.recipient, state) {
        (Some(recipient), state) => {
            connection.query(BY_RECIPIENT, &[recipient, &after, &state, &limit]).await?
        }
        (None, Some(state)) => connection.query(BY_STATE, &[&state, &after, &limit]).await?,
        (None, None) => connection.query(ALL, &[&after, &limit]).await?,
    };
    let read: Result<Vec<_>, _> = rows.iter().map(read).collect();
    let read = connection.judge(read)?;
    read.into_iter().map(|(document, it)| Ok((health.sound(document)?, it))).collect()
}

/// A document and its delivery.
pub(super) async fn get(
    pool: &Pool,
    health: &Health,
    id: ObjectId,
) -> Result<Option<Found>, StoreError> {
    let mut connection = pool.get().await?;
    let Some(row) = connection.query_opt(GET, &[&id]).await? else { return Ok(None) };
    let (document, delivery) = connection.judge(read(&row))?;
    Ok(Some((health.sound(document)?, delivery)))
}

type ReadRow = (Result<Document, ObjectId>, Option<Delivery>);

fn read(row: &Row) -> Result<ReadRow, tokio_postgres::Error> {
    Ok((document(row, 0)?, delivery(row, 3)?))
}

/// When a delivery is due next.
pub(super) async fn next_due(pool: &Pool) -> Result<Option<u64>, StoreError> {
    let mut connection = pool.get().await?;
    let row = connection.query_opt(NEXT_DUE, &[]).await?;
    let due = row.map_or(Ok(None), |row| row.try_get::<_, Option<i64>>(0));
    Ok(connection.judge(due)?.map(|due| u64::try_from(due).unwrap_or(0)))
}

/// Claims what is due.
pub(super) async fn claim(
    pool: &Pool,
    health: &Health,
    limit: usize,
    lease: Duration,
) -> Result<Vec<Claim>, StoreError> {
    let mut connection = pool.get().await?;
    let rows = connection.query(CLAIM, &[&rows(limit), &signed(millis(lease))]).await?;
    let read = |row: &Row| Ok((read(row)?, row.try_get::<_, i64>(10)?));
    let read: Result<Vec<_>, tokio_postgres::Error> = rows.iter().map(read).collect();
    let read = connection.judge(read)?;
    drop(connection);
    let mut claims = Vec::with_capacity(read.len());
    for ((document, delivery), token) in read {
        let Some(delivery) = delivery else { continue };
        match health.sound(document) {
            Ok(document) if document.tag == delivery.tag => {
                claims.push(Claim::new(document, delivery, token));
            }
            Ok(Document { id, .. }) => {
                tracing::error!(%id, "a delivery is of another document: its mail is not sent");
            }
            Err(StoreError::DamagedDocument { id }) => {
                let attempts = delivery.state.failures().map_or(0, |failures| failures.count);
                let reason = "the notification is damaged in the database".to_owned();
                let failed = DeliveryState::Failed { time: now(), attempts, reason };
                // The others are to be attempted all the same.
                if let Err(error) = settle(pool, id, token, &failed).await {
                    tracing::error!(%error, %id, "cannot record a damaged notification");
                }
            }
            Err(error) => tracing::error!(%error, "a claimed notification cannot be read"),
        }
    }
    Ok(claims)
}

/// Records how an attempt ended, if its claim is valid.
pub(super) async fn settle(
    pool: &Pool,
    id: ObjectId,
    token: i64,
    state: &DeliveryState,
) -> Result<bool, StoreError> {
    let columns = Columns::from(state);
    let attempts = columns.attempts.map(u32::cast_signed);
    let (state, reason) = (state_number(columns.state), columns.reason.as_deref().map(text));
    let mut connection = pool.get().await?;
    let settled = connection
        .execute(
            SETTLE,
            &[&id, &token, &state, &columns.due, &columns.first, &attempts, &columns.time, &reason],
        )
        .await?;
    Ok(settled > 0)
}

/// Has a delivery that was given up be tried again.
pub(super) async fn retry(pool: &Pool, id: ObjectId) -> Result<RetryOutcome, StoreError> {
    let mut connection = pool.get().await?;
    if connection.execute(RETRY, &[&id, &signed(now())]).await? > 0 {
        return Ok(RetryOutcome::Accepted);
    }
    let known = connection.query_opt(EXISTS, &[&id]).await?;
    Ok(known.map_or(RetryOutcome::NotFound, |_| RetryOutcome::NotFailed))
}

/// Has all deliveries in a state be tried again. Returns how many there were.
pub(super) async fn retry_all(pool: &Pool, state: StateName) -> Result<u64, StoreError> {
    let mut connection = pool.get().await?;
    let (mut all, mut last, state) = (0, None, state_number(number(state)));
    loop {
        let (now, after) = (signed(now()), after_bytes(last.as_ref()));
        let retried = connection.query(RETRY_SOME, &[&state, &now, &STEP, &after]).await;
        let retried = retried.map_err(|error| error.after(all))?;
        let Some(row) = retried.last() else { return Ok(all) };
        last = Some(connection.judge(row.try_get::<_, ObjectId>(0))?);
        all += retried.len() as u64;
    }
}

/// Notes that mails are sent, and expires what was overdue before that, the first time.
pub(super) async fn start_sending(pool: &Pool, expiry: Duration) -> Result<(), StoreError> {
    let (now, expiry) = (signed(now()), signed(millis(expiry)));
    let begin = "BEGIN; SET LOCAL statement_timeout = '60s'";
    let mut transaction = Transaction::begin(pool, begin).await?;
    let connection = transaction.connection()?;
    connection.set_patience(LONG_PATIENCE);
    if Status::of(connection, status::LOCK).await?.mail_since.is_none() {
        connection.execute(EXPIRE, &[&now, &now.saturating_sub(expiry)]).await?;
    }
    connection.execute(START, &[&now, &expiry]).await?;
    transaction.end().await
}
