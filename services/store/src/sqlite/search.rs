//! Searches documents, in the order of time.

use rusqlite::{Connection, OptionalExtension, params};

use super::read::{document, rows};
use super::shared::Shared;
use super::writer::{Of, first_key, is_indexed, last_key, topic, word};
use crate::{Cursor, Found, ObjectId, Search, StoreError};

/// Words that are searched for one by one. More that begin alike are rare each.
const MAX_WORDS: usize = 500;

/// Runs a search. Waits for the disk.
pub(super) fn search(shared: &Shared, search: &Search) -> Result<Option<Found>, StoreError> {
    let connection = shared.pool.take()?;
    let found = find(&connection, search).map_err(|error| shared.translate(&error))?;
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
    let words = search.words.iter().filter_map(|it| word(Of::Text, it));
    let place = search.place.iter().filter_map(|it| word(Of::Place, it));
    let mut tokens: Vec<_> = words.chain(place).collect();
    tokens.sort_unstable();
    without_beginnings(&mut tokens);
    let mut terms = Vec::with_capacity(tokens.len() + 1);
    for token in tokens {
        let Some(term) = term(connection, &token)? else { return Ok(Query::Nothing) };
        terms.push(term);
    }
    terms.extend(search.topic.iter().map(|it| format!("\"{}\"", topic(it))));
    Ok(if terms.is_empty() { Query::All } else { Query::Terms(terms.join(" AND ")) })
}

/// What finds the words that begin with a token; none if there are none.
fn term(connection: &Connection, token: &str) -> rusqlite::Result<Option<String>> {
    let beginning = format!("\"{token}\" *");
    if is_indexed(token) {
        return Ok(Some(beginning));
    }
    let sql = "SELECT token FROM words WHERE token >= ?1 AND token < ?1 || char(0x10FFFF) LIMIT ?2";
    let mut select = connection.prepare_cached(sql)?;
    let found = select.query_map(params![token, rows(MAX_WORDS + 1)], |row| row.get(0))?;
    let found = found.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(match found.len() {
        0 => None,
        1..=MAX_WORDS => Some(format!("(\"{}\")", found.join("\" OR \""))),
        _ => Some(beginning),
    })
}

/// Leaves out what begins another word, since it is found with that one. This bounds how many
/// words there can be. The tokens are sorted.
fn without_beginnings(tokens: &mut Vec<String>) {
    tokens.dedup_by(|next, token| {
        let begins = next.starts_with(token.as_str());
        if begins {
            std::mem::swap(next, token);
        }
        begins
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_begin_others_are_not_asked_for() {
        let mut tokens = ["pm", "wa", "wm", "wmus", "wmusic"].map(String::from).to_vec();
        without_beginnings(&mut tokens);
        assert_eq!(tokens, ["pm", "wa", "wmusic"]);
    }
}
