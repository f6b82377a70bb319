//! Changes the search index.
//!
//! FTS5 writes a part of its index for each row whose number is less than that of the row before
//! it in the same transaction, so all changes of a transaction are made at its end, by ascending
//! number.

use std::collections::BTreeMap;
use std::fmt::Write;

use rusqlite::{Connection, params};

use crate::{SearchFacts, hex};

/// Changes that are still to be made, by key.
#[derive(Debug, Default)]
pub(super) struct Index(BTreeMap<i64, Change>);

#[derive(Debug, Default)]
struct Change {
    /// There is a row.
    remove: bool,
    /// The tokens of the new row.
    insert: Option<String>,
}

impl Index {
    pub(super) fn remove(&mut self, key: i64) {
        let change = self.0.entry(key).or_default();
        // What this transaction has brought was not written yet.
        if change.insert.take().is_none() {
            change.remove = true;
        }
    }

    pub(super) fn insert(&mut self, key: i64, facts: &SearchFacts) {
        self.0.entry(key).or_default().insert = Some(tokens(facts));
    }

    pub(super) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut delete = connection.prepare_cached("DELETE FROM search WHERE rowid = ?1")?;
        let sql = "INSERT INTO search (rowid, tokens) VALUES (?1, ?2)";
        let mut insert = connection.prepare_cached(sql)?;
        for (key, change) in &self.0 {
            if change.remove {
                delete.execute([key])?;
            }
            if let Some(tokens) = &change.insert {
                insert.execute(params![key, tokens])?;
            }
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Which words a token is of.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Of {
    Text,
    Place,
}

/// The token of a word. Only letters and digits become part of it: whatever a caller takes for a
/// word cannot end a token or the query around it.
pub(in super::super) fn word(of: Of, word: &str) -> Option<String> {
    let mut token = String::with_capacity(word.len() + 1);
    token.push(match of {
        Of::Text => 'w',
        Of::Place => 'p',
    });
    token.extend(word.chars().filter(|c| c.is_alphanumeric()));
    (token.len() > 1).then_some(token)
}

/// The token of a topic, of which all characters count.
pub(in super::super) fn topic(topic: &str) -> String {
    format!("t{}", hex::of(topic.as_bytes()))
}

fn tokens(facts: &SearchFacts) -> String {
    let words = facts.words.iter().filter_map(|it| word(Of::Text, it));
    let place = facts.place.iter().filter_map(|it| word(Of::Place, it));
    let mut tokens: Vec<_> = words.chain(place).collect();
    tokens.extend(facts.topics.iter().map(|it| topic(it)));
    tokens.sort_unstable();
    tokens.dedup();
    let mut text = String::with_capacity(tokens.iter().map(|token| token.len() + 1).sum());
    for token in tokens {
        let _ = write!(text, "{token} ");
    }
    text
}
