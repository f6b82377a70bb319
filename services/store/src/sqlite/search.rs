//! Searches documents, in the order of time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::read::document;
use super::shared::Shared;
use super::writer::{first_key, is_indexed, last_key};
use crate::columns::rows;
use crate::{Cursor, Found, ObjectId, Search, StoreError, tokens};

/// Words that one search looks for one by one, of all the beginnings that it names. Each takes
/// memory of its own while it is being read.
const MAX_LISTED: usize = 512;
/// After this time a search is interrupted, so that it does not keep others from the disk.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Runs a search. Waits for the disk.
pub(super) fn search(shared: &Shared, search: &Search) -> Result<Option<Found>, StoreError> {
    search_within(shared, search, TIME_LIMIT)
}

/// Runs a search, which is interrupted after this time.
pub(super) fn search_within(
    shared: &Shared,
    search: &Search,
    time: Duration,
) -> Result<Option<Found>, StoreError> {
    let mut connection = shared.pool.take()?;
    let is_over = connection.limit_time(time).map_err(|error| shared.translate(&error))?;
    let found = find(&connection, search).map_err(|error| {
        // Whatever FTS5 makes of an interruption: it is no damage.
        if is_over.load(Ordering::Relaxed) {
            StoreError::Busy { why: "the search takes too long" }
        } else {
            shared.translate(&error)
        }
    })?;
    drop(connection);
    let Some(mut rows) = found else { return Ok(None) };
    let has_more = rows.len() > search.limit;
    rows.truncate(search.limit);
    let last = rows.last().filter(|_| has_more).map(|(key, document)| {
        let id = document.as_ref().map_or_else(|id| *id, |document| document.id);
        Cursor { id, key: Some(*key) }
    });
    // A damaged one is logged, and does not hide the others.
    let sound = |(_, document)| match shared.sound(document) {
        Err(StoreError::DamagedDocument { .. }) => None,
        sound => Some(sound),
    };
    let documents = rows.into_iter().filter_map(sound).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Found { documents, next: last }))
}

type Rows = Vec<(i64, Result<crate::Document, ObjectId>)>;

fn find(connection: &Connection, search: &Search) -> rusqlite::Result<Option<Rows>> {
    // One state for all that follows. It ends when it is dropped: nothing was written.
    let state = connection.unchecked_transaction()?;
    let Some((first, last)) = range(&state, search)? else { return Ok(None) };
    let direction = if search.latest_first { "DESC" } else { "ASC" };
    let query = query(&state, search)?;
    // Always from the index to the documents: CROSS JOIN keeps that order.
    let sql = match query {
        Query::Nothing => return Ok(Some(Vec::new())),
        Query::Terms(_) => format!(
            "SELECT s.rowid, d.id, d.tag, d.body FROM search s
             CROSS JOIN positions p ON p.key = s.rowid
             CROSS JOIN documents d ON d.number = p.number
             WHERE s.search MATCH ?4 AND s.rowid BETWEEN ?1 AND ?2
             ORDER BY s.rowid {direction} LIMIT ?3"
        ),
        Query::All => format!(
            "SELECT p.key, d.id, d.tag, d.body FROM positions p
             CROSS JOIN documents d ON d.number = p.number
             WHERE p.key BETWEEN ?1 AND ?2 AND ?4 IS NULL
             ORDER BY p.key {direction} LIMIT ?3"
        ),
    };
    let limit = rows(search.limit.saturating_add(1));
    let mut select = state.prepare_cached(&sql)?;
    let rows = select.query_map(params![first, last, limit, query.terms()], |row| {
        Ok((row.get(0)?, document(row, 1)?))
    })?;
    rows.collect::<rusqlite::Result<Vec<_>>>().map(Some)
}

/// The keys that a search is for; none if it goes on after a document that is not there.
fn range(connection: &Connection, search: &Search) -> rusqlite::Result<Option<(i64, i64)>> {
    let mut first = search.from.map_or(i64::MIN, first_key);
    let mut last = search.to.map_or(i64::MAX, last_key);
    if let Some(after) = search.after {
        let key = match after.key {
            Some(key) => Some(key),
            None => connection
                .prepare_cached("SELECT key FROM documents WHERE id = ?1")?
                .query_row([after.id], |row| row.get(0))
                .optional()?
                .flatten(),
        };
        let Some(key) = key else { return Ok(None) };
        if search.latest_first {
            last = last.min(key.saturating_sub(1));
        } else {
            first = first.max(key.saturating_add(1));
        }
    }
    Ok(Some((first, last)))
}

/// What FTS5 is asked for.
#[derive(Debug)]
enum Query {
    /// There is no text to be found.
    All,
    /// No document has what is searched for.
    Nothing,
    Terms(String),
}

impl Query {
    fn terms(&self) -> Option<&str> {
        match self {
            Self::Terms(terms) => Some(terms),
            Self::All | Self::Nothing => None,
        }
    }
}

/// What FTS5 is asked for: words by their beginning, topics as a whole.
fn query(connection: &Connection, search: &Search) -> rusqlite::Result<Query> {
    let tokens = tokens::beginnings(search);
    let mut terms = Vec::with_capacity(tokens.len() + 1);
    let mut listed = 0;
    for token in tokens {
        let Some(term) = term(connection, &token, &mut listed)? else { return Ok(Query::Nothing) };
        terms.push(term);
    }
    terms.extend(search.topic.iter().map(|it| format!("\"{}\"", tokens::topic(it))));
    Ok(if terms.is_empty() { Query::All } else { Query::Terms(terms.join(" AND ")) })
}

/// What finds the words that begin with a token; none if there are none. `listed` counts the
/// words that the search looks for one by one.
fn term(
    connection: &Connection,
    token: &str,
    listed: &mut usize,
) -> rusqlite::Result<Option<String>> {
    let beginning = format!("\"{token}\" *");
    if is_indexed(token) {
        return Ok(Some(beginning));
    }
    let sql = "SELECT token FROM words WHERE token >= ?1 AND token < ?1 || char(0x10FFFF) LIMIT ?2";
    let mut select = connection.prepare_cached(sql)?;
    let left = MAX_LISTED - *listed;
    let found = select.query_map(params![token, rows(left + 1)], |row| row.get(0))?;
    let found = found.collect::<rusqlite::Result<Vec<String>>>()?;
    if found.is_empty() {
        return Ok(None);
    }
    if found.len() > left {
        return Ok(Some(beginning));
    }
    *listed += found.len();
    Ok(Some(format!("(\"{}\")", found.join("\" OR \""))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_all_beginnings_together_are_bounded() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE words (token TEXT PRIMARY KEY)").unwrap();
        for n in 0..300 {
            let sql = "INSERT INTO words VALUES ('walpha' || ?1), ('wbravo' || ?1)";
            connection.execute(sql, [n]).unwrap();
        }
        let mut listed = 0;
        let mut terms = |token| term(&connection, token, &mut listed).unwrap().unwrap();
        assert_eq!(terms("walpha").matches(" OR ").count(), 299);
        assert_eq!(terms("wbravo"), "\"wbravo\" *");
        assert_eq!(terms("wbravo1").matches(" OR ").count(), 110);
        assert_eq!(listed, 411);
    }
}
