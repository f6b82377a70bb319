//! Reads deliveries.

use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::failure::readable;
use super::read::document;
use super::shared::Shared;
use super::state::{COLUMNS, delivery};
use crate::columns::{after_bytes, rows};
use crate::{Delivery, DeliveryFilter, Document, ObjectId, StoreError};

/// A document and its delivery as they were read.
type Found = (Result<Document, ObjectId>, Option<Delivery>);

/// The documents that a filter selects. Waits for the disk.
pub(super) fn select(
    shared: &Shared,
    filter: &DeliveryFilter,
) -> Result<Vec<(Document, Option<Delivery>)>, StoreError> {
    let connection = shared.pool.take()?;
    let rows = read(&connection, filter).map_err(|error| shared.translate(&error))?;
    rows.into_iter().map(|(document, delivery)| Ok((shared.sound(document)?, delivery))).collect()
}

/// A document and its delivery. Waits for the disk.
pub(super) fn get(
    shared: &Shared,
    id: ObjectId,
) -> Result<Option<(Document, Option<Delivery>)>, StoreError> {
    let connection = shared.pool.take()?;
    let read = || {
        let sql = format!(
            "SELECT d.id, d.tag, d.body, {COLUMNS} FROM documents d
             LEFT JOIN deliveries v ON v.id = d.id WHERE d.id = ?1"
        );
        connection.prepare_cached(&sql)?.query_row([id], found).optional()
    };
    let row = read().map_err(|error| shared.translate(&error))?;
    row.flatten().map(|(document, delivery)| Ok((shared.sound(document)?, delivery))).transpose()
}

/// When a delivery is due next. Waits for the disk.
pub(super) fn next_due(shared: &Shared) -> Result<Option<u64>, StoreError> {
    let connection = shared.pool.take()?;
    let sql = "SELECT min(due) FROM deliveries WHERE due IS NOT NULL";
    let read = || connection.prepare_cached(sql)?.query_row([], |row| row.get(0));
    let due: Option<i64> = read().map_err(|error| shared.translate(&error))?;
    Ok(due.map(|due| u64::try_from(due).unwrap_or(0)))
}

fn read(connection: &Connection, filter: &DeliveryFilter) -> rusqlite::Result<Vec<Found>> {
    // The index of the recipient has few rows, that of a state many.
    let from = match (&filter.recipient, filter.state) {
        (Some(_), _) => {
            "deliveries v INDEXED BY deliveries_by_recipient CROSS JOIN documents d ON d.id = v.id
             WHERE v.recipient = :recipient AND v.id > :after
             AND (:state IS NULL OR v.state = :state) ORDER BY v.id"
        }
        (None, Some(_)) => {
            "deliveries v INDEXED BY deliveries_by_state CROSS JOIN documents d ON d.id = v.id
             WHERE v.state = :state AND v.id > :after AND :recipient IS NULL ORDER BY v.id"
        }
        (None, None) => {
            "documents d LEFT JOIN deliveries v ON v.id = d.id
             WHERE d.id > :after AND :recipient IS NULL AND :state IS NULL ORDER BY d.id"
        }
    };
    let sql = format!("SELECT d.id, d.tag, d.body, {COLUMNS} FROM {from} LIMIT :limit");
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(
        named_params! {
            ":recipient": filter.recipient, ":state": filter.state, ":limit": rows(filter.limit),
            ":after": after_bytes(filter.after.as_ref()),
        },
        found,
    )?;
    rows.filter_map(Result::transpose).collect()
}

/// None if not even the id can be read. A damaged delivery counts as a damaged document.
fn found(row: &Row<'_>) -> rusqlite::Result<Option<Found>> {
    let Some(id) = readable(row.get(0))? else { return Ok(None) };
    let document = document(row, 0)?;
    Ok(Some(match readable(delivery(row, 3))? {
        Some(delivery) => (document, delivery),
        None => (Err(id), None),
    }))
}
