//! Searches documents, in the order of time.

use std::fmt::Write as _;

use tokio_postgres::types::{ToSql, Type};

use super::connection::Connection;
use super::health::Health;
use super::pool::Pool;
use super::rows::document;
use crate::columns::rows;
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
    let terms = Terms::of(search);
    // Only what is asked for is in the statement: it is planned for its values.
    let mut sql = String::from("SELECT at, id, tag, body FROM documents WHERE at IS NOT NULL");
    let mut values: Vec<(&(dyn ToSql + Sync), Type)> = Vec::new();
    let mut add = |begin: &str, value, kind, end: &str| {
        values.push((value, kind));
        let _ = write!(sql, " AND {begin}${}{end}", values.len());
    };
    if let Some(from) = &search.from {
        add("at >= ", from, Type::INT8, "");
    }
    if let Some(to) = &search.to {
        add("at <= ", to, Type::INT8, "");
    }
    if let Some(indexed) = &terms.indexed {
        add("tokens @@ ", indexed, Type::TEXT, "::tsquery");
    }
    if let Some(others) = &terms.others {
        // The function of the operator, which no index is used for.
        add("ts_match_vq(tokens, ", others, Type::TEXT, "::tsquery)");
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

/// A word of fewer letters begins so many others that looking them up takes longer than looking at
/// what another word has found.
const SELECTIVE: usize = 4;

/// What the tokens of a document have to match: words by their beginning, topics as a whole. Tokens
/// have letters and digits only.
#[derive(Debug, Default, PartialEq, Eq)]
struct Terms {
    /// What may be looked up in the index: what few documents have.
    indexed: Option<String>,
    /// What is looked for in documents that were found by something else.
    others: Option<String>,
}

impl Terms {
    fn of(search: &Search) -> Self {
        let mut indexed: Vec<_> =
            search.topic.iter().map(|it| format!("'{}'", tokens::topic(it))).collect();
        // The longest first.
        let mut words = tokens::beginnings(search).into_iter().peekable();
        let is_selective = |word: &String| word.chars().count() > SELECTIVE;
        let has_topic = !indexed.is_empty();
        let beginning = |word: String| format!("'{word}':*");
        let first = words.next_if(|word| !has_topic || is_selective(word));
        indexed.extend(first.map(beginning));
        let others: Vec<_> = words.map(beginning).collect();
        let joined = |terms: Vec<String>| (!terms.is_empty()).then(|| terms.join(" & "));
        Self { indexed: joined(indexed), others: joined(others) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(words: &[&str], topic: Option<&str>) -> (Option<String>, Option<String>) {
        let words = words.iter().map(|it| (*it).into()).collect();
        let topic = topic.map(Into::into);
        let Terms { indexed, others } =
            Terms::of(&Search { words, topic, limit: 1, ..Search::default() });
        (indexed, others)
    }

    #[test]
    fn what_few_documents_have_is_looked_up_and_the_rest_is_compared() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(terms(&[], None), (None, None));
        assert_eq!(terms(&["b"], None), (some("'wb':*"), None));
        assert_eq!(terms(&["ba", "concert"], None), (some("'wconcert':*"), some("'wba':*")));
        assert_eq!(terms(&["ba"], Some("a")), (some("'t61'"), some("'wba':*")));
        assert_eq!(terms(&["concert"], Some("a")), (some("'t61' & 'wconcert':*"), None));
    }
}
