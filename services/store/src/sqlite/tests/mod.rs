//! Tests of the engine as callers use it.

mod backup;
mod damage;
mod deliveries;
mod disk;
mod documents;
mod folder;
mod lists;
mod search;

use std::path::Path;

use tempfile::TempDir;

use super::{Limits, Settings, SqliteStore};
use crate::words::{topics, words};
use crate::{
    Condition, Document, Facts, ObjectId, Schedule, SearchFacts, Store, StoreError, Write,
    WriteOutcome,
};

pub(super) const SETTINGS: Settings = Settings {
    collection: "events",
    limits: Limits { max_bytes: None, max_documents: None, reserve_bytes: 0 },
    facts,
};

/// What follows from the documents of these tests: lines with a time, words, a place, topics,
/// and maybe an address and when a mail is due.
pub(super) fn facts(document: &[u8]) -> Facts {
    let text = std::str::from_utf8(document).unwrap();
    let fields: Vec<_> = text.split('|').collect();
    let [_, at, text, place, list, rest @ ..] = fields.as_slice() else { return Facts::default() };
    let search = SearchFacts {
        at: at.parse().unwrap(),
        words: words(text).chain(words(place)).collect(),
        place: words(place).collect(),
        topics: topics(list).collect(),
    };
    let delivery = match rest {
        [recipient, due, ..] => {
            Some(Schedule { recipient: (*recipient).into(), due: due.parse().unwrap() })
        }
        _ => None,
    };
    Facts { search: Some(search), delivery }
}

/// A store in a folder of its own.
pub(super) struct Fixture {
    // Before the folder: it is dropped first.
    pub(super) store: SqliteStore,
    pub(super) folder: TempDir,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(SETTINGS)
    }

    pub(super) fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: SqliteStore::open(folder.path(), &settings).unwrap(), folder }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn reopened(self) -> Self {
        let Self { store, folder } = self;
        drop(store);
        Self { store: SqliteStore::open(folder.path(), &SETTINGS).unwrap(), folder }
    }

    pub(super) async fn insert(&self, n: u32, text: &str) {
        let outcome = self.store.write(insert(n, text)).await;
        assert_eq!(outcome, Ok(WriteOutcome::Done(None)));
    }

    pub(super) async fn remove(&self, n: u32) -> Result<WriteOutcome, StoreError> {
        let condition = Condition::default();
        self.store.write(Write::Remove { id: id(n), condition }).await
    }

    pub(super) async fn get(&self, n: u32) -> Option<String> {
        let found = self.store.get(id(n)).await.unwrap();
        found.map(|found| String::from_utf8(found.bytes.to_vec()).unwrap())
    }
}

pub(super) fn id(n: u32) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

pub(super) fn number(id: ObjectId) -> u32 {
    u32::from_be_bytes(id.bytes()[8..].try_into().unwrap())
}

pub(super) fn document(n: u32, text: &str) -> Document {
    Document::new(id(n), text.as_bytes().to_vec())
}

pub(super) fn insert(n: u32, text: &str) -> Write {
    Write::Insert { document: document(n, text), facts: facts(text.as_bytes()) }
}

pub(super) fn replace(n: u32, text: &str, condition: Condition) -> Write {
    Write::Replace { document: document(n, text), facts: facts(text.as_bytes()), condition }
}
