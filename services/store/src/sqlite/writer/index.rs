//! Changes the search index.
//!
//! FTS5 writes a part of its index for each row whose number is less than that of the row before
//! it in the same transaction, so all changes of a transaction are made at its end, by ascending
//! number.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, params};

use crate::{SearchFacts, Tag, tokens};

/// Changes that are still to be made.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By key.
    changes: BTreeMap<i64, Change>,
    /// Hashes of tokens that are in the table of words.
    known: HashSet<u64>,
}

/// Hashes that are kept: some 1 MiB. Texts have most of their words in common.
const MAX_KNOWN: usize = 1 << 16;
/// Beginnings that have an index of their own, in characters of a token: those of up to three
/// letters.
const INDEXED: usize = 4;
/// Words that are looked at in one step to see whether a document has them still.
const STEP: i64 = 500;

#[derive(Debug, Default)]
struct Change {
    /// There is a row.
    remove: bool,
    /// The tokens of the new row.
    insert: Option<String>,
}

impl Index {
    pub(super) fn remove(&mut self, key: i64) {
        let change = self.changes.entry(key).or_default();
        // What this transaction has brought was not written yet.
        if change.insert.take().is_none() {
            change.remove = true;
        }
    }

    pub(super) fn insert(&mut self, key: i64, facts: &SearchFacts) {
        self.changes.entry(key).or_default().insert = Some(tokens::of_facts(facts));
    }

    pub(super) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        self.note_words(connection)?;
        let mut delete = connection.prepare_cached("DELETE FROM search WHERE rowid = ?1")?;
        let sql = "INSERT INTO search (rowid, tokens) VALUES (?1, ?2)";
        let mut insert = connection.prepare_cached(sql)?;
        for (key, change) in &self.changes {
            if change.remove {
                delete.execute([key])?;
            }
            if let Some(tokens) = &change.insert {
                insert.execute(params![key, tokens])?;
            }
        }
        Ok(())
    }

    /// Notes long words that are new.
    fn note_words(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT INTO words (token) VALUES (?1) ON CONFLICT DO NOTHING";
        let mut insert = connection.prepare_cached(sql)?;
        let texts = self.changes.values().filter_map(|change| change.insert.as_ref());
        for token in texts.flat_map(|text| text.split(' ')).filter(|token| is_listed(token)) {
            if self.known.len() == MAX_KNOWN {
                self.known.clear();
            }
            if self.known.insert(Tag::of(token.as_bytes()).0) {
                insert.execute([token])?;
            }
        }
        Ok(())
    }

    /// Forgets some words that no document has any more, of those after one. Returns the last
    /// that it has looked at, if there may be more.
    pub(super) fn forget_words(
        &mut self,
        connection: &Connection,
        after: &str,
    ) -> rusqlite::Result<Option<String>> {
        let sql = "SELECT token FROM words WHERE token > ?1 ORDER BY token LIMIT ?2";
        let mut select = connection.prepare_cached(sql)?;
        let rows = select.query_map(params![after, STEP], |row| row.get(0))?;
        let tokens = rows.collect::<rusqlite::Result<Vec<String>>>()?;
        let mut is_used =
            connection.prepare_cached("SELECT 1 FROM search WHERE search MATCH ?1 LIMIT 1")?;
        let mut delete = connection.prepare_cached("DELETE FROM words WHERE token = ?1")?;
        for token in &tokens {
            if !is_used.exists([format!("\"{token}\"")])? {
                delete.execute([token])?;
                self.known.remove(&Tag::of(token.as_bytes()).0);
            }
        }
        let is_full = i64::try_from(tokens.len()).is_ok_and(|count| count == STEP);
        Ok(tokens.into_iter().next_back().filter(|_| is_full))
    }

    /// Forgets the changes, which were made.
    pub(super) fn clear(&mut self) {
        self.changes.clear();
    }

    /// Forgets the changes, and what they may have noted: their transaction was lost.
    pub(super) fn undo(&mut self) {
        self.changes.clear();
        self.known.clear();
    }
}

/// Whether a token is in the table of words: it is one of a word, and long.
fn is_listed(token: &str) -> bool {
    !token.starts_with('t') && !is_indexed(token)
}

/// Whether what begins with a token is found by an index of beginnings.
pub(in super::super) fn is_indexed(token: &str) -> bool {
    token.chars().nth(INDEXED).is_none()
}
