//! The services' own store with one transaction a request: what group commit is compared
//! with. Arguments: PORT FOLDER COLLECTION.

use std::path::PathBuf;

use bench_services::{Documents, argument, serve};
use bytes::Bytes;
use events::Event;
use notifications::Notification;
use rest::{ObjectId, Resource};
use store::{Document, Facts, Limits, Settings, SqliteStore, Store, Write};
use tokio::sync::Mutex;

/// The lock lets one write at a time reach the store.
struct OneByOne {
    store: SqliteStore,
    facts: fn(&[u8]) -> Facts,
    turn: Mutex<()>,
}

impl Documents for OneByOne {
    async fn insert(&self, id: ObjectId, document: Bytes) {
        let facts = (self.facts)(&document);
        let document = Document::new(id, document);
        let _turn = self.turn.lock().await;
        self.store.write(Write::Create { document, facts }).await.expect("an insert");
    }

    async fn get(&self, id: ObjectId) -> Option<Bytes> {
        self.store.get(id).await.expect("a read").map(|document| document.bytes)
    }
}

async fn run<R: Resource>() {
    let limits = Limits::default();
    let settings = Settings { collection: R::COLLECTION, limits, facts: R::facts_of };
    let folder: PathBuf = argument(2, "FOLDER");
    std::fs::create_dir_all(&folder).expect("a folder");
    let store = SqliteStore::open(&folder, &settings).expect("a store");
    let documents = OneByOne { store, facts: R::facts_of, turn: Mutex::default() };
    serve::<R>(argument(1, "PORT"), documents).await;
}

#[tokio::main]
async fn main() {
    match argument::<String>(3, "COLLECTION").as_str() {
        "notifications" => run::<Notification>().await,
        _ => run::<Event>().await,
    }
}
