//! What only this engine does: its files, its log, its cache, damage and full disks.

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

use super::SqliteStore;
use crate::conformance::{SETTINGS, document, facts, id, insert, number};
use crate::{Condition, Limits, Settings, Store, StoreError, Write, WriteOutcome};

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
