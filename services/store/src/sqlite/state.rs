//! Deliveries as rows.

use rusqlite::{Row, ToSql};

use crate::{Delivery, DeliveryState, FailedAttempts, StateName};

/// The columns of a delivery, in the order in which [`delivery`] reads them.
pub(super) const COLUMNS: &str = "v.tag, v.state, v.due, v.first, v.attempts, v.time, v.reason";

/// The values of a state, by column.
#[derive(Debug, Default)]
pub(super) struct Columns<'a> {
    pub(super) due: Option<i64>,
    pub(super) first: Option<i64>,
    pub(super) attempts: Option<u32>,
    pub(super) time: Option<i64>,
    pub(super) reason: Option<&'a str>,
}

/// A time as it is stored.
pub(super) fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// The number by which a state is stored.
pub(super) const fn number(name: StateName) -> i64 {
    name as i64
}

/// A state's name by its number.
pub(super) fn name(number: i64) -> rusqlite::Result<StateName> {
    let name = usize::try_from(number).ok().and_then(|it| StateName::ALL.get(it).copied());
    name.ok_or(rusqlite::Error::IntegralValueOutOfRange(0, number))
}

/// The values of a state.
pub(super) fn columns(state: &DeliveryState) -> Columns<'_> {
    let mut columns = Columns { due: state.due().map(signed), ..Columns::default() };
    if let Some(failures) = state.failures() {
        columns.first = Some(signed(failures.first));
        columns.attempts = Some(failures.count);
        columns.reason = Some(&failures.reason);
    }
    match state {
        DeliveryState::Scheduled { .. } | DeliveryState::Sending { .. } => {}
        DeliveryState::Sent { time, attempts } => {
            columns.time = Some(signed(*time));
            columns.attempts = Some(*attempts);
        }
        DeliveryState::Failed { time, attempts, reason } => {
            columns.time = Some(signed(*time));
            columns.attempts = Some(*attempts);
            columns.reason = Some(reason);
        }
        DeliveryState::Expired { time } => columns.time = Some(signed(*time)),
    }
    columns
}

/// The delivery in the columns of a row that begin at `at`; none if they are empty.
pub(super) fn delivery(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Delivery>> {
    let Some(tag) = row.get(at)? else { return Ok(None) };
    let time = |column: usize| -> rusqlite::Result<u64> {
        Ok(row.get::<_, Option<i64>>(at + column)?.unwrap_or(0).cast_unsigned())
    };
    let attempts = row.get::<_, Option<u32>>(at + 4)?;
    let reason = || -> rusqlite::Result<String> {
        Ok(row.get::<_, Option<String>>(at + 6)?.unwrap_or_default())
    };
    let failures = || -> rusqlite::Result<Option<FailedAttempts>> {
        let Some(count) = attempts else { return Ok(None) };
        Ok(Some(FailedAttempts { first: time(3)?, count, reason: reason()? }))
    };
    let state = match name(row.get(at + 1)?)? {
        StateName::Scheduled => DeliveryState::Scheduled { due: time(2)?, failures: failures()? },
        StateName::Sending => DeliveryState::Sending { failures: failures()? },
        StateName::Sent => {
            DeliveryState::Sent { time: time(5)?, attempts: attempts.unwrap_or_default() }
        }
        StateName::Failed => {
            let attempts = attempts.unwrap_or_default();
            DeliveryState::Failed { time: time(5)?, attempts, reason: reason()? }
        }
        StateName::Expired => DeliveryState::Expired { time: time(5)? },
    };
    Ok(Some(Delivery { state, tag }))
}

impl ToSql for StateName {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(number(*self).into())
    }
}
