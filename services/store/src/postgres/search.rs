//! Searches documents, in the order of time.

use std::fmt::Write as _;

use tokio_postgres::types::{ToSql, Type};

use super::connection::Connection;
use super::health::Health;
use super::pool::Pool;
use super::rows::{document, rows};
use crate::{Cursor, Document, Found, ObjectId, Search, StoreError, tokens};

const TIME: &str = "SELECT at FROM documents WHERE id = $1 AND at IS NOT NULL";

/// A document that was found, and its time.
type Row = (i64, Result<Document, ObjectId>);

/// Runs a search.
pub(super) async fn search(
    pool: &Pool,
    health: &Health,
    search: &Search,
) -> Result<Option<Found>, StoreError> {
    let mut connection = pool.get().await?;
    let start = match start(&mut connection, search).await? {
        Start::Nowhere => return Ok(None),
        Start::Beginning => None,
        Start::After(at, id) => Some((at, id)),
    };
    let mut found = find(&mut connection, search, start).await?;
    drop(connection);
    let has_more = found.len() > search.limit;
    found.truncate(search.limit);
    let next = found.last().filter(|_| has_more).map(|(at, document)| {
        let id = document.as_ref().map_or_else(|id| *id, |document| document.id);
        Cursor { id, key: Some(*at) }
    });
    // A damaged one is logged, and does not hide the others.
    let documents = found.into_iter().filter_map(|(_, it)| health.sound(it).ok()).collect();
    Ok(Some(Found { documents, next }))
}

/// Where a page begins.
enum Start {
    Beginning,
    After(i64, ObjectId),
    /// After a document that is not there.
    Nowhere,
}

async fn start(connection: &mut Connection, search: &Search) -> Result<Start, StoreError> {
    let Some(Cursor { id, key }) = search.after else { return Ok(Start::Beginning) };
    if let Some(at) = key {
        return Ok(Start::After(at, id));
    }
    let row = connection.query_opt(TIME, &[&id]).await?;
    let at = row.map(|row| row.try_get(0)).transpose();
    Ok(connection.judge(at)?.map_or(Start::Nowhere, |at| Start::After(at, id)))
}

async fn find(
    connection: &mut Connection,
    search: &Search,
    start: Option<(i64, ObjectId)>,
) -> Result<Vec<Row>, StoreError> {
    let limit = rows(search.limit.saturating_add(1));
    let query = query(search);
    // Only what is asked for is in the statement: it is planned for its values.
    let mut sql = String::from("SELECT at, id, tag, body FROM documents WHERE at IS NOT NULL");
    let mut values: Vec<(&(dyn ToSql + Sync), Type)> = Vec::new();
    let mut add = |condition: &str, value, kind| {
        values.push((value, kind));
        let _ = write!(sql, " AND {condition} ${}", values.len());
    };
    if let Some(from) = &search.from {
        add("at >=", from, Type::INT8);
    }
    if let Some(to) = &search.to {
        add("at <=", to, Type::INT8);
    }
    if let Some(query) = &query {
        add("tokens @@ ", query, Type::TEXT);
        sql.push_str("::tsquery");
    }
    if let Some((at, id)) = &start {
        let _ = write!(
            sql,
            " AND (at, id) {} (${}, ${})",
            if search.latest_first { '<' } else { '>' },
            values.len() + 1,
            values.len() + 2
        );
        values.push((at, Type::INT8));
        values.push((id, Type::BYTEA));
    }
    let direction = if search.latest_first { "DESC" } else { "ASC" };
    values.push((&limit, Type::INT8));
    let _ = write!(sql, " ORDER BY at {direction}, id {direction} LIMIT ${}", values.len());
    let found = connection.query_planned(&sql, &values).await?;
    let read = found.iter().map(|row| Ok((row.try_get(0)?, document(row, 1)?)));
    let read = read.collect::<Result<Vec<_>, tokio_postgres::Error>>();
    connection.judge(read)
}

/// What the tokens of a document have to match: words by their beginning, topics as a whole.
/// Tokens have letters and digits only.
fn query(search: &Search) -> Option<String> {
    let mut terms: Vec<_> =
        tokens::beginnings(search).iter().map(|token| format!("'{token}':*")).collect();
    terms.extend(search.topic.iter().map(|it| format!("'{}'", tokens::topic(it))));
    (!terms.is_empty()).then(|| terms.join(" & "))
}
