//! Fills a data folder of the events service through its own storage. Prints up to
//! 50,000 of the ids, from all over. Arguments: FOLDER COUNT EVENT, the last a file with one as JSON.

use std::sync::Arc;
use std::path::PathBuf;

use bench_services::argument;
use bytes::Bytes;
use events::Event;
use rest::Resource;
use rest::data_dir::DataDir;
use rest::id::IdGenerator;
use rest::store::{LogStore, Store};

/// Writes that wait for a commit at the same time.
const AT_ONCE: usize = 4096;

#[tokio::main]
async fn main() {
    let (folder, count): (PathBuf, usize) = (argument(1, "FOLDER"), argument(2, "COUNT"));
    let dir = DataDir::lock(&folder).expect("a folder of its own");
    let store = Arc::new(LogStore::open(&dir, "events").expect("a log"));
    let ids = IdGenerator::new().expect("randomness");
    let body = std::fs::read(argument::<PathBuf>(3, "a file with an event")).expect("an event");
    let event = Event::from_body(&body).expect("an event");
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..count {
        let id = ids.next();
        let document = Bytes::from(event.document(id));
        let store = Arc::clone(&store);
        writes.spawn(async move { store.insert(id, document).await });
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
}
