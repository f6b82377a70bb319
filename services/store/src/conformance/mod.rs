//! What every engine does: each of these tests runs over all of them.
//!
//! Those of PostgreSQL need a server, whose URL is in `EVENTPOST_POSTGRES`: `scripts/test` starts
//! one (`testbed/postgres`).

pub(crate) mod backup;
mod deliveries;
mod documents;
mod lists;
mod removals;
mod search;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::words::{topics, words};
use crate::{
    BackupError, BackupSummary, Chunks, Condition, DatabaseUrl, Document, Facts, Limits, ObjectId,
    PostgresStore, Schedule, SearchFacts, Settings, SqliteStore, StateName, Store, StoreError,
    Write, WriteOutcome, restore, restore_database,
};

pub(crate) const SETTINGS: Settings = Settings {
    collection: "events",
    limits: Limits { max_bytes: None, max_documents: None, reserve_bytes: 0 },
    facts,
};
/// Connections of a store, half of which may be used by lists.
const CONNECTIONS: usize = 8;

/// What a store is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Where the data of a store are.
#[derive(Debug)]
enum Place {
    Folder(TempDir),
    Database(DatabaseUrl),
}

/// An empty store of its own.
#[derive(Debug)]
pub(crate) struct Fixture {
    // Before its place: it is dropped first.
    pub(crate) store: Arc<dyn Store>,
    place: Place,
    settings: Settings,
}

/// Makes each of these a test of every engine.
macro_rules! of_every_engine {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name($crate::conformance::Engine::Sqlite).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test]
                #[ignore = "needs PostgreSQL: scripts/test starts it"]
                async fn $name() {
                    super::$name($crate::conformance::Engine::Postgres).await;
                }
            )*
        }
    };
}
pub(crate) use of_every_engine;

impl Fixture {
    pub(crate) async fn new(engine: Engine) -> Self {
        Self::with(engine, SETTINGS).await
    }

    pub(crate) async fn with(engine: Engine, settings: Settings) -> Self {
        let place = match engine {
            Engine::Sqlite => Place::Folder(tempfile::tempdir().unwrap()),
            Engine::Postgres => Place::Database(DatabaseUrl::value(new_database().await)),
        };
        Self { store: place.open(&settings).await, place, settings }
    }

    /// The same data, opened again.
    pub(crate) async fn reopened(self) -> Self {
        let Self { store, place, settings } = self;
        store.close().await.unwrap();
        drop(store);
        Self { store: place.open(&settings).await, place, settings }
    }

    /// Restores a backup into the data, which are opened again then.
    pub(crate) async fn restored(
        self,
        backup: &[u8],
        replace: bool,
    ) -> (Self, Result<BackupSummary, BackupError>) {
        let Self { store, place, settings } = self;
        store.close().await.unwrap();
        drop(store);
        let mut input = backup;
        let result = match &place {
            Place::Folder(folder) => restore(folder.path(), &settings, &mut input, replace),
            Place::Database(url) => restore_database(url, &settings, &mut input, replace).await,
        };
        (Self { store: place.open(&settings).await, place, settings }, result)
    }

    /// Another process with the same data, where there may be several.
    pub(crate) async fn other(&self) -> Option<Arc<dyn Store>> {
        match &self.place {
            Place::Folder(_) => None,
            Place::Database(_) => Some(self.place.open(&self.settings).await),
        }
    }

    pub(crate) async fn insert(&self, n: u32, text: &str) {
        let outcome = self.store.write(insert(n, text)).await;
        assert_eq!(outcome, Ok(WriteOutcome::Done(None)));
    }

    pub(crate) async fn remove(&self, n: u32) -> Result<WriteOutcome, StoreError> {
        let condition = Condition::default();
        self.store.write(Write::Remove { id: id(n), condition }).await
    }

    pub(crate) async fn get(&self, n: u32) -> Option<String> {
        let found = self.store.get(id(n)).await.unwrap();
        found.map(|found| String::from_utf8(found.bytes.to_vec()).unwrap())
    }

    pub(crate) async fn count(&self, state: StateName) -> u64 {
        self.store.statistics().await.deliveries[state as usize].1
    }

    /// A backup, written where waiting does not matter.
    pub(crate) async fn back_up(&self) -> (Vec<u8>, BackupSummary) {
        let store = Arc::clone(&self.store);
        let write = move || {
            let mut out = Vec::new();
            let summary = store.back_up(&mut out).unwrap();
            (out, summary)
        };
        tokio::task::spawn_blocking(write).await.unwrap()
    }
}

impl Place {
    async fn open(&self, settings: &Settings) -> Arc<dyn Store> {
        match self {
            Self::Folder(folder) => Arc::new(SqliteStore::open(folder.path(), settings).unwrap()),
            Self::Database(url) => {
                Arc::new(PostgresStore::open(url.clone(), settings, CONNECTIONS).await.unwrap())
            }
        }
    }
}

/// The URL of an empty database.
pub(crate) async fn new_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("EVENTPOST_POSTGRES")
        .expect("EVENTPOST_POSTGRES has the URL of a server: testbed/postgres prints it");
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("store_{}_{n}", std::process::id());
    let (client, connection) =
        tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    // A former process may have had this number.
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// What follows from the documents of these tests: lines with a time, words, a place, topics,
/// and maybe an address and when a mail is due, and when they are removed.
pub(crate) fn facts(document: &[u8]) -> Facts {
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
            let (recipient, due) = ((*recipient).into(), due.parse().unwrap());
            let is_other_mail = recipient == "other@b.org";
            Some(Schedule { recipient, due, is_other_mail })
        }
        _ => None,
    };
    let remove_at = rest.get(2).map(|at| at.parse().unwrap());
    Facts { search: Some(search), delivery, remove_at }
}

pub(crate) fn id(n: u32) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

pub(crate) fn number(id: ObjectId) -> u32 {
    u32::from_be_bytes(id.bytes()[8..].try_into().unwrap())
}

pub(crate) fn document(n: u32, text: &str) -> Document {
    Document::new(id(n), text.as_bytes().to_vec())
}

pub(crate) fn insert(n: u32, text: &str) -> Write {
    Write::Insert { document: document(n, text), facts: facts(text.as_bytes()) }
}

pub(crate) fn create(n: u32, text: &str) -> Write {
    Write::Create { document: document(n, text), facts: facts(text.as_bytes()) }
}

pub(crate) fn replace(n: u32, text: &str, condition: Condition) -> Write {
    Write::Replace { document: document(n, text), facts: facts(text.as_bytes()), condition }
}

/// The texts of documents, read where waiting does not matter.
pub(crate) async fn texts(chunks: Chunks) -> Vec<String> {
    let text = |document: Document| String::from_utf8(document.bytes.to_vec()).unwrap();
    self::chunks(chunks).await.into_iter().map(text).collect()
}

/// The documents of a list, read where waiting does not matter.
pub(crate) async fn chunks(chunks: Chunks) -> Vec<Document> {
    let read = move || chunks.flat_map(|chunk| chunk.unwrap()).collect();
    tokio::task::spawn_blocking(read).await.unwrap()
}
