//! Deliveries as rows.

use rusqlite::{Row, ToSql};

use crate::columns::{self, Columns};
use crate::{Delivery, StateName};

/// The columns of a delivery, in the order in which [`delivery`] reads them.
pub(super) const COLUMNS: &str = "v.tag, v.state, v.due, v.first, v.attempts, v.time, v.reason";

/// A state's name by its number.
pub(super) fn name(number: i64) -> rusqlite::Result<StateName> {
    columns::name(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, number))
}

/// The delivery in the columns of a row that begin at `at`; none if they are empty.
pub(super) fn delivery(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Delivery>> {
    let Some(tag) = row.get(at)? else { return Ok(None) };
    let columns = Columns {
        state: row.get(at + 1)?,
        due: row.get(at + 2)?,
        first: row.get(at + 3)?,
        attempts: row.get(at + 4)?,
        time: row.get(at + 5)?,
        reason: row.get(at + 6)?,
    };
    let number = columns.state;
    let state = columns.into_state();
    let state = state.ok_or(rusqlite::Error::IntegralValueOutOfRange(at + 1, number))?;
    Ok(Some(Delivery { state, tag }))
}

impl ToSql for StateName {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(columns::number(*self).into())
    }
}
