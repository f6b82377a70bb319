//! The services' API over SQLite: WAL, synchronous=FULL, one transaction a request.
//! Arguments: PORT FILE.

use std::sync::mpsc::{Receiver, Sender, channel};

use bench_services::{Documents, argument, serve};
use bytes::Bytes;
use events::Event;
use rest::ObjectId;
use rusqlite::Connection;
use tokio::sync::oneshot;

/// SQLite has one writer at a time: one thread with one connection is the fastest way.
struct Sqlite(Sender<Job>);

enum Job {
    Insert(ObjectId, Bytes, oneshot::Sender<()>),
    Get(ObjectId, oneshot::Sender<Option<Bytes>>),
}

impl Documents for Sqlite {
    async fn insert(&self, id: ObjectId, document: Bytes) {
        let (done, wait) = oneshot::channel();
        self.0.send(Job::Insert(id, document, done)).expect("the thread lives");
        wait.await.expect("the thread lives");
    }

    async fn get(&self, id: ObjectId) -> Option<Bytes> {
        let (done, wait) = oneshot::channel();
        self.0.send(Job::Get(id, done)).expect("the thread lives");
        wait.await.expect("the thread lives")
    }
}

fn work(jobs: Receiver<Job>, connection: Connection) {
    let mut insert =
        connection.prepare("INSERT INTO events VALUES (?1, ?2)").expect("a valid statement");
    let mut get =
        connection.prepare("SELECT document FROM events WHERE id = ?1").expect("a valid statement");
    for job in jobs {
        match job {
            Job::Insert(id, document, done) => {
                // Outside a transaction each statement is one, committed when it returns.
                insert.execute((&id.bytes()[..], &document[..])).expect("an insert");
                let _ = done.send(());
            }
            Job::Get(id, done) => {
                let found = get.query_row([&id.bytes()[..]], |row| row.get::<_, Vec<u8>>(0));
                let _ = done.send(found.ok().map(Bytes::from));
            }
        }
    }
}

#[tokio::main]
async fn main() {
    let connection = Connection::open(argument::<String>(2, "FILE")).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS events (id BLOB PRIMARY KEY, document BLOB) WITHOUT ROWID",
        )
        .expect("a table");
    let (jobs, waiting) = channel();
    std::thread::spawn(|| work(waiting, connection));
    serve::<Event>(argument(1, "PORT"), Sqlite(jobs)).await;
}
