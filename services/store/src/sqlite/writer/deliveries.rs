//! Changes deliveries.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::super::failure::readable;
use super::super::read;
use super::super::state::{COLUMNS, delivery, name};
use super::{Answer, Failure, Writer};
use crate::clock::now;
use crate::columns::{self, Columns, after_bytes, signed};
use crate::delivery::millis;
use crate::{
    Claim, Delivery, DeliveryState, Document, ObjectId, RetryOutcome, Schedule, StateName,
    StoreError, Tag,
};

/// Deliveries that one transaction expires or retries.
const STEP: i64 = 1000;
/// Since when mails are sent, and how late a notification may be when it is first seen.
pub(in super::super) const MAIL_SINCE: &str = "mail since";
const MAIL_EXPIRY: &str = "mail expiry";

/// A document that was read, and its delivery.
type Due = (Result<Document, ObjectId>, Delivery);

/// Makes the attempts of a former process due again: it can no longer settle them.
pub(in super::super) fn release(connection: &Connection) -> rusqlite::Result<()> {
    // In one transaction: the totals have to agree with the rows even after a crash.
    let transaction = connection.unchecked_transaction()?;
    let released = transaction.execute(
        "UPDATE deliveries SET state = ?1, due = ?3, claim = NULL WHERE state = ?2",
        params![StateName::Scheduled, StateName::Sending, signed(now())],
    )?;
    if released > 0 {
        transaction.execute(
            "UPDATE totals SET scheduled = scheduled + sending, sending = 0,
             commits = commits + 1",
            [],
        )?;
    }
    transaction.commit()
}

/// How late a notification may be when it is first seen, if mails are sent.
pub(super) fn stored_expiry(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let since: Option<i64> = meta(connection, MAIL_SINCE)?;
    let expiry: Option<i64> = meta(connection, MAIL_EXPIRY)?;
    Ok(since.and(expiry).map(i64::cast_unsigned))
}

/// A value of the file as a whole.
pub(in super::super) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()
}

pub(super) fn set_meta(connection: &Connection, name: &str, value: u64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET value = ?2 WHERE value <> ?2";
    connection.prepare_cached(sql)?.execute(params![name, signed(value)])?;
    Ok(())
}

impl Writer {
    /// Schedules the mail of a document that was stored.
    pub(super) fn schedule(
        &mut self,
        id: ObjectId,
        tag: Tag,
        schedule: &Schedule,
        may_be_known: bool,
    ) -> rusqlite::Result<()> {
        let known = if may_be_known { self.known(id)? } else { None };
        let before = known.as_ref().map(|known| known.state.name());
        let expiry = self.expiry;
        let known = known.as_ref().map(|known| (&known.state, known.tag));
        let state = DeliveryState::after_write(known, tag, schedule, now(), expiry);
        let Some(state) = state else { return Ok(()) };
        self.totals.count(before, Some(state.name()));
        put(&self.connection, id, &schedule.recipient, &Delivery { state, tag })
    }

    /// Removes the delivery of a document that is gone or asks for no mail, also a damaged one.
    pub(super) fn unschedule(&mut self, id: ObjectId) -> rusqlite::Result<()> {
        let sql = "DELETE FROM deliveries WHERE id = ?1 RETURNING state";
        let mut delete = self.connection.prepare_cached(sql)?;
        let before = readable(delete.query_row([id], |row| name(row.get(0)?)).optional())?;
        self.totals.count(before.flatten(), None);
        Ok(())
    }

    pub(super) fn known(&self, id: ObjectId) -> rusqlite::Result<Option<Delivery>> {
        let sql = format!("SELECT {COLUMNS} FROM deliveries v WHERE id = ?1");
        let mut select = self.connection.prepare_cached(&sql)?;
        let known = readable(select.query_row([id], |row| delivery(row, 0)).optional())?;
        Ok(known.flatten().flatten())
    }

    /// Begins to send, in steps: the last one notes that it has begun.
    pub(super) fn start_sending(
        &mut self,
        expiry: Duration,
        after: Option<ObjectId>,
    ) -> Result<Answer, Failure> {
        let now = now();
        self.expiry = Some(millis(expiry));
        if meta(&self.connection, MAIL_SINCE)?.is_none() {
            let sql = "SELECT id FROM deliveries WHERE state = ?1 AND id > ?2 AND due < ?3
                       ORDER BY id LIMIT ?4";
            let overdue = signed(now.saturating_sub(millis(expiry)));
            let state = StateName::Scheduled;
            let mut select = self.connection.prepare_cached(sql)?;
            let rows = select
                .query_map(params![state, after_bytes(after.as_ref()), overdue, STEP], |row| {
                    row.get(0)
                })?;
            let ids = rows.collect::<rusqlite::Result<Vec<ObjectId>>>()?;
            drop(select);
            for id in &ids {
                self.change(*id, state, &DeliveryState::Expired { time: now })?;
            }
            if columns::rows(ids.len()) == STEP {
                return Ok(Answer::Some(ids.len() as u64, ids.last().copied()));
            }
            set_meta(&self.connection, MAIL_SINCE, now)?;
        }
        set_meta(&self.connection, MAIL_EXPIRY, millis(expiry))?;
        Ok(Answer::Some(0, None))
    }

    /// What is due, the longest due first. What is damaged itself is left out, and does not count.
    fn due(&self, limit: usize, now: u64) -> rusqlite::Result<Vec<Due>> {
        // Those whose claim has ended are among them.
        let sql = format!(
            "SELECT d.id, d.tag, d.body, {COLUMNS} FROM deliveries v INDEXED BY deliveries_by_due
             CROSS JOIN documents d USING (id) WHERE v.due <= ?1 ORDER BY v.due"
        );
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query([signed(now)])?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            let Some(id) = readable(row.get::<_, ObjectId>(0))? else { continue };
            let Some(delivery) = readable(delivery(row, 3))?.flatten() else {
                tracing::error!(%id, "the delivery is damaged: its mail is not sent");
                continue;
            };
            let document = read::document(row, 0)?;
            if document.as_ref().is_ok_and(|document| document.tag != delivery.tag) {
                tracing::error!(%id, "a delivery is of another document: its mail is not sent");
                continue;
            }
            found.push((document, delivery));
        }
        Ok(found)
    }

    pub(super) fn claim(
        &mut self,
        limit: usize,
        lease: Duration,
        now: u64,
    ) -> Result<Answer, Failure> {
        let rows = self.due(limit, now)?;
        let mut claims = Vec::with_capacity(rows.len());
        for (document, delivery) in rows {
            let document = match self.shared.sound(document) {
                Ok(document) => document,
                Err(StoreError::DamagedDocument { id }) => {
                    let reason = "the notification is damaged on the disk".to_owned();
                    let attempts = delivery.state.failures().map_or(0, |failures| failures.count);
                    let failed = DeliveryState::Failed { time: now, attempts, reason };
                    self.change(id, delivery.state.name(), &failed)?;
                    continue;
                }
                Err(error) => return Err(Failure::Refused(error)),
            };
            self.claims += 1;
            let before = delivery.state.name();
            let failures = delivery.state.failures().cloned();
            let state = DeliveryState::Sending { failures };
            let end = signed(now.saturating_add(millis(lease)));
            let sql = "UPDATE deliveries SET state = ?2, due = ?3, claim = ?4 WHERE id = ?1";
            let values = params![document.id, state.name(), end, self.claims];
            self.connection.prepare_cached(sql)?.execute(values)?;
            self.totals.count(Some(before), Some(state.name()));
            let delivery = Delivery { state, tag: delivery.tag };
            claims.push(Claim::new(document, delivery, self.claims));
        }
        Ok(Answer::Claims(claims))
    }

    pub(super) fn settle(
        &mut self,
        id: ObjectId,
        token: i64,
        state: &DeliveryState,
    ) -> Result<Answer, Failure> {
        let sql = "SELECT 1 FROM deliveries WHERE id = ?1 AND claim = ?2";
        let is_valid = self.connection.prepare_cached(sql)?.exists(params![id, token])?;
        if is_valid {
            self.change(id, StateName::Sending, state)?;
        }
        Ok(Answer::Settled(is_valid))
    }

    pub(super) fn retry(&mut self, id: ObjectId, now: u64) -> Result<Answer, Failure> {
        let Some(known) = self.known(id)? else {
            return Ok(Answer::Retry(RetryOutcome::NotFound));
        };
        let before = known.state.name();
        if !matches!(before, StateName::Failed | StateName::Expired) {
            return Ok(Answer::Retry(RetryOutcome::NotFailed));
        }
        self.change(id, before, &DeliveryState::Scheduled { due: now, failures: None })?;
        Ok(Answer::Retry(RetryOutcome::Accepted))
    }

    pub(super) fn retry_some(
        &mut self,
        state: StateName,
        after: Option<ObjectId>,
        now: u64,
    ) -> Result<Answer, Failure> {
        let sql = "SELECT id, state FROM deliveries WHERE state = ?1 AND id > ?2
                   ORDER BY id LIMIT ?3";
        let mut select = self.connection.prepare_cached(sql)?;
        let rows = select.query_map(params![state, after_bytes(after.as_ref()), STEP], |row| {
            Ok((row.get(0)?, name(row.get(1)?)?))
        })?;
        let rows = rows.collect::<rusqlite::Result<Vec<(ObjectId, StateName)>>>()?;
        drop(select);
        for (id, before) in &rows {
            let again = DeliveryState::Scheduled { due: now, failures: None };
            self.change(*id, *before, &again)?;
        }
        let last = rows.last().filter(|_| columns::rows(rows.len()) == STEP).map(|(id, _)| *id);
        Ok(Answer::Some(rows.len() as u64, last))
    }

    /// Changes the state of a delivery that is there. No claim is valid any more.
    pub(super) fn change(
        &mut self,
        id: ObjectId,
        before: StateName,
        state: &DeliveryState,
    ) -> rusqlite::Result<()> {
        let columns = Columns::from(state);
        self.connection
            .prepare_cached(
                "UPDATE deliveries SET state = :state, due = :due, first = :first,
                 attempts = :attempts, time = :time, reason = :reason, claim = NULL
                 WHERE id = :id",
            )?
            .execute(named_params! {
                ":id": id, ":state": state.name(), ":due": columns.due, ":first": columns.first,
                ":attempts": columns.attempts, ":time": columns.time, ":reason": columns.reason,
            })?;
        self.totals.count(Some(before), Some(state.name()));
        Ok(())
    }
}

/// Stores a delivery, in place of what there is.
fn put(
    connection: &Connection,
    id: ObjectId,
    recipient: &str,
    delivery: &Delivery,
) -> rusqlite::Result<()> {
    let columns = Columns::from(&delivery.state);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO deliveries
             (id, tag, recipient, state, due, first, attempts, time, reason, claim)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL)",
        )?
        .execute(params![
            id,
            delivery.tag,
            recipient,
            columns.state,
            columns.due,
            columns.first,
            columns.attempts,
            columns.time,
            columns.reason,
        ])?;
    Ok(())
}
