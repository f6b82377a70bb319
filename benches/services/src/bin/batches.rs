//! Writes rows of a service, 64 at once, and prints how many a second: through the services' own
//! store, or by a loop that writes the same rows, 64 in a transaction, and does nothing else.
//! Arguments: FOLDER COLLECTION HOW COUNT, where HOW is `store` or `loop`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bench_services::{EVENT, NOTIFICATION, Row, argument, rows, tokens};
use events::Event;
use notifications::Notification;
use rest::Resource;
use rusqlite::{Connection, Transaction, params};
use store::{Document, Facts, Limits, Settings, SqliteStore, Store, Write};

/// Writes at once, and in a transaction of the loop.
const AT_ONCE: usize = 64;
const SCHEMA: &str =
    include_str!("../../../../services/store/migrations/sqlite/0001_initial.sql");
async fn by_store<R: Resource>(folder: &Path, rows: Vec<Row>) -> Duration {
    let limits = Limits::default();
    let settings = Settings { collection: R::COLLECTION, limits, facts: R::facts_of };
    let store = Arc::new(SqliteStore::open(folder, &settings).expect("a store"));
    let (rows, next) = (Arc::new(rows), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let writer = |_| {
        let (store, rows, next) = (Arc::clone(&store), Arc::clone(&rows), Arc::clone(&next));
        tokio::spawn(async move {
            while let Some((document, facts)) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                let write = Write::Create { document: document.clone(), facts: facts.clone() };
                store.write(write).await.expect("a write");
            }
        })
    };
    for writer in (0..AT_ONCE).map(writer).collect::<Vec<_>>() {
        writer.await.expect("no panic");
    }
    begun.elapsed()
}

fn by_loop(folder: &Path, rows: &[Row]) -> Duration {
    let mut connection = Connection::open(folder.join("data.sqlite")).expect("a database");
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        .expect("a log");
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(SCHEMA).expect("the schema");
    let begun = Instant::now();
    let mut key = 0;
    for batch in rows.chunks(AT_ONCE) {
        let transaction = connection.transaction().expect("a transaction");
        for (document, facts) in batch {
            key += 1;
            insert(&transaction, document, facts, key).expect("a row");
        }
        let sql = "UPDATE totals SET commits = commits + 1, documents = documents + ?1";
        let update = transaction.prepare_cached(sql).expect("a statement").execute([i64::try_from(batch.len()).expect("a few")]);
        update.expect("the totals");
        transaction.commit().expect("a commit");
    }
    begun.elapsed()
}

fn insert(
    transaction: &Transaction<'_>,
    document: &Document,
    facts: &Facts,
    key: i64,
) -> rusqlite::Result<()> {
    let (id, tag) = (document.id.bytes().as_slice(), document.tag.0.cast_signed());
    let sql = "INSERT INTO documents (id, tag, key, body) VALUES (?1, ?2, ?3, ?4)";
    let key = facts.search.as_ref().map(|_| key);
    let body = document.bytes.as_ref();
    transaction.prepare_cached(sql)?.execute(params![id, tag, key, body])?;
    if let Some((search, key)) = facts.search.as_ref().zip(key) {
        let sql = "INSERT INTO positions (key, number) VALUES (?1, ?2)";
        transaction.prepare_cached(sql)?.execute([key, transaction.last_insert_rowid()])?;
        let sql = "INSERT INTO search (rowid, tokens) VALUES (?1, ?2)";
        transaction.prepare_cached(sql)?.execute(params![key, tokens(search)])?;
    }
    if let Some(schedule) = &facts.delivery {
        let sql = "INSERT INTO deliveries (id, tag, recipient, state, due) VALUES (?1, ?2, ?3, 0, ?4)";
        let due = schedule.due.cast_signed();
        transaction.prepare_cached(sql)?.execute(params![id, tag, schedule.recipient, due])?;
    }
    Ok(())
}

async fn run<R: Resource>(body: &str) {
    let folder: PathBuf = argument(1, "FOLDER");
    std::fs::create_dir_all(&folder).expect("a folder");
    let (how, count): (String, usize) = (argument(3, "HOW"), argument(4, "COUNT"));
    let rows = rows::<R>(body, count);
    let time = match how.as_str() {
        "store" => by_store::<R>(&folder, rows).await,
        _ => by_loop(&folder, &rows),
    };
    println!("{:.0}", count as f64 / time.as_secs_f64());
}

#[tokio::main]
async fn main() {
    match argument::<String>(2, "COLLECTION").as_str() {
        "notifications" => run::<Notification>(NOTIFICATION).await,
        _ => run::<Event>(EVENT).await,
    }
}
