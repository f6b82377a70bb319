//! Documents and deliveries as rows.

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::columns::Columns;
use crate::{Delivery, Document, ObjectId, Tag};

type BoxedError = Box<dyn std::error::Error + Sync + Send>;

impl ToSql for ObjectId {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        self.bytes().as_slice().to_sql(kind, out)
    }

    accepts!(BYTEA);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for ObjectId {
    fn from_sql(_kind: &Type, raw: &'a [u8]) -> Result<Self, BoxedError> {
        Ok(Self::from_bytes(raw.try_into()?))
    }

    accepts!(BYTEA);
}

impl ToSql for Tag {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        self.0.cast_signed().to_sql(kind, out)
    }

    accepts!(INT8);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Tag {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, BoxedError> {
        i64::from_sql(kind, raw).map(|tag| Self(tag.cast_unsigned()))
    }

    accepts!(INT8);
}

/// A document in the columns of a row that begin at `first`: its id, tag and body. The inner
/// error is the id of one that is not what was written.
pub(super) fn document(
    row: &Row,
    first: usize,
) -> Result<Result<Document, ObjectId>, tokio_postgres::Error> {
    let (id, tag): (ObjectId, Tag) = (row.try_get(first)?, row.try_get(first + 1)?);
    let body: &[u8] = row.try_get(first + 2)?;
    Ok(Document::verified(id, tag, body))
}

/// The columns of a delivery, in the order in which [`delivery`] reads them.
macro_rules! delivery_columns {
    () => {
        "v.tag, v.state, v.due, v.first, v.attempts, v.time, v.reason"
    };
}
pub(super) use delivery_columns;

/// The delivery in the columns of a row that begin at `at`; none if they are empty.
pub(super) fn delivery(row: &Row, at: usize) -> Result<Option<Delivery>, tokio_postgres::Error> {
    let Some(tag) = row.try_get(at)? else { return Ok(None) };
    let columns = Columns {
        state: row.try_get::<_, i16>(at + 1)?.into(),
        due: row.try_get(at + 2)?,
        first: row.try_get(at + 3)?,
        attempts: row.try_get::<_, Option<i32>>(at + 4)?.map(i32::cast_unsigned),
        time: row.try_get(at + 5)?,
        reason: row.try_get(at + 6)?,
    };
    // The table has no other numbers of states.
    Ok(columns.into_state().map(|state| Delivery { state, tag }))
}

/// The number of a state as the database takes it.
pub(super) fn state_number(number: i64) -> i16 {
    i16::try_from(number).expect("there are five states")
}

/// A text that the database can store: it has no zero characters.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
