//! Fills a data folder of the events service through its own storage. Prints up to
//! 50,000 of the ids, from all over. Arguments: FOLDER COUNT EVENT, the last a file with one
//! as JSON, or `varied`: events whose texts are words at random, to be searched for.

use std::sync::Arc;
use std::path::PathBuf;

use bench_services::{argument, words};
use events::Event;
use rest::Resource;
use rest::data_dir::DataDir;
use store::{Document, IdGenerator, Limits, Settings, SqliteStore, Store, Write};

/// Writes that wait for a commit at the same time.
const AT_ONCE: usize = 4096;

#[tokio::main]
async fn main() {
    let (folder, count): (PathBuf, usize) = (argument(1, "FOLDER"), argument(2, "COUNT"));
    let dir = DataDir::lock(&folder).expect("a folder of its own");
    let settings =
        Settings { collection: "events", limits: Limits::default(), facts: Event::facts_of };
    let store = Arc::new(SqliteStore::open(dir.path(), &settings).expect("a store"));
    let ids = IdGenerator::new().expect("randomness");
    let file: PathBuf = argument(3, "a file with an event");
    let varied = file.as_os_str() == "varied";
    let body = if varied { words(0) } else { std::fs::read(file).expect("an event") };
    let mut event = Event::from_body(&body).expect("an event");
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..count {
        let id = ids.next();
        if varied {
            event = Event::from_body(&words(n as u64)).expect("an event");
        }
        let document = Document::new(id, event.document(id));
        let write = Write::Insert { document, facts: event.facts() };
        let store = Arc::clone(&store);
        writes.spawn(async move { store.write(write).await });
        if writes.len() == AT_ONCE {
            writes.join_next().await.expect("a write").expect("no panic").expect("an insert");
        }
        if n % count.div_ceil(50_000) == 0 {
            println!("{id}");
        }
    }
    for write in writes.join_all().await {
        write.expect("an insert");
    }
    store.close().await.expect("a closed store");
}
