//! Compares the store on PostgreSQL with the same statements through a pool of the same size, in
//! turns. Arguments: URL WHAT MORE, where WHAT is
//!
//! ```text
//! get SECONDS              reads of one document, 64 at once: store, bare, in reads/s
//! post COLLECTION SECONDS  inserts of the same rows, 64 at once: store, bare, in writes/s
//! fill COUNT               stores events of random words
//! search WORDS TOPIC FROM  the first page of a search, - for none: found, ms each, slowest
//! tails SECONDS            GET and POST beside 1,000 writes/s: 99th and 99.9th percentile in us
//! ```

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bench_services::{EVENT, NOTIFICATION, Row, argument, rows, tokens, words};
use deadpool_postgres::{Manager, Pool};
use events::Event;
use notifications::Notification;
use rest::Resource;
use store::{
    DatabaseUrl, Document, IdGenerator, Limits, ObjectId, PostgresStore, Search, Settings, Store,
    Write,
};
use tokio_postgres::NoTls;

const CONNECTIONS: usize = 16;
const AT_ONCE: usize = 64;
/// Turns of each, since the machine is shared.
const ROUNDS: u64 = 3;

fn settings<R: Resource>() -> Settings {
    Settings { collection: R::COLLECTION, limits: Limits::default(), facts: R::facts_of }
}

async fn open<R: Resource>(url: &str) -> Arc<PostgresStore> {
    let url = DatabaseUrl::value(url);
    Arc::new(PostgresStore::open(url, &settings::<R>(), CONNECTIONS).await.expect("a store"))
}

fn bare_pool(url: &str) -> Pool {
    let manager = Manager::new(url.parse().expect("a URL"), NoTls);
    Pool::builder(manager).max_size(CONNECTIONS).build().expect("a pool")
}

/// How often `work` is done in a second by 64 tasks.
async fn rate<F: Future<Output = ()> + Send>(
    time: Duration,
    work: impl Fn() -> F + Clone + Send + 'static,
) -> f64 {
    let (count, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (count, stop, work) = (Arc::clone(&count), Arc::clone(&stop), work.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    work().await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("no panic");
    }
    count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn get(url: &str, time: Duration) {
    let store = open::<Event>(url).await;
    let (document, facts) = rows::<Event>(EVENT, 1).remove(0);
    let id = document.id;
    store.write(Write::Insert { document, facts }).await.expect("an insert");
    let bare = bare_pool(url);
    let (mut by_store, mut by_bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let store = Arc::clone(&store);
        let read = move || {
            let store = Arc::clone(&store);
            async move { assert!(store.get(id).await.expect("a read").is_some()) }
        };
        by_store.push(rate(time, read).await);
        let bare = bare.clone();
        let select = move || {
            let bare = bare.clone();
            async move { bare_get(&bare, id).await }
        };
        by_bare.push(rate(time, select).await);
    }
    println!("{:.0} {:.0}", median(by_store), median(by_bare));
}

async fn bare_get(pool: &Pool, id: ObjectId) {
    let client = pool.get().await.expect("a connection");
    let sql = "SELECT id, tag, body FROM eventpost_events.documents WHERE id = $1";
    let statement = client.prepare_cached(sql).await.expect("a statement");
    let row = client.query_one(&statement, &[&id.bytes().as_slice()]).await.expect("a row");
    let body: &[u8] = row.get(2);
    assert!(!body.is_empty());
}

async fn post<R: Resource>(url: &str, body: &str, time: Duration) {
    let store = open::<R>(url).await;
    let bare = bare_pool(url);
    let schema = format!("eventpost_{}", R::COLLECTION);
    let client = bare.get().await.expect("a connection");
    client
        .batch_execute(&format!(
            "DROP TABLE IF EXISTS bare_documents, bare_deliveries;
             CREATE TABLE bare_documents (LIKE {schema}.documents INCLUDING ALL);
             CREATE TABLE bare_deliveries (LIKE {schema}.deliveries INCLUDING ALL)"
        ))
        .await
        .expect("tables");
    drop(client);
    let (mut by_store, mut by_bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let all = Arc::new((rows::<R>(body, 400_000), AtomicUsize::new(0)));
        let store = Arc::clone(&store);
        let taken = Arc::clone(&all);
        let write = move || {
            let (store, (document, facts)) = (Arc::clone(&store), next(&taken));
            async move {
                store.write(Write::Create { document, facts }).await.expect("a write");
            }
        };
        by_store.push(rate(time, write).await);
        let bare = bare.clone();
        let insert = move || {
            let (bare, row) = (bare.clone(), next(&all));
            async move { bare_post(&bare, &row).await }
        };
        by_bare.push(rate(time, insert).await);
    }
    println!("{:.0} {:.0}", median(by_store), median(by_bare));
}

fn next((rows, taken): &(Vec<Row>, AtomicUsize)) -> Row {
    rows[taken.fetch_add(1, Ordering::Relaxed) % rows.len()].clone()
}

async fn bare_post(pool: &Pool, (document, facts): &Row) {
    let client = pool.get().await.expect("a connection");
    let (id, tag) = (document.id.bytes().as_slice(), document.tag.0.cast_signed());
    let at = facts.search.as_ref().map(|facts| facts.at);
    let tokens = facts.search.as_ref().map(tokens);
    let body = document.bytes.as_ref();
    let Some(schedule) = &facts.delivery else {
        let sql = "INSERT INTO bare_documents (id, tag, at, tokens, body)
                   VALUES ($1, $2, $3, $4::text::tsvector, $5)";
        let insert = client.prepare_cached(sql).await.expect("a statement");
        client.execute(&insert, &[&id, &tag, &at, &tokens, &body]).await.expect("an insert");
        return;
    };
    let sql = "WITH d AS (INSERT INTO bare_documents (id, tag, body) VALUES ($1, $2, $3))
               INSERT INTO bare_deliveries (id, tag, recipient, state, due)
               VALUES ($1, $2, $4, 0, $5)";
    let insert = client.prepare_cached(sql).await.expect("a statement");
    let due = schedule.due.cast_signed();
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&id, &tag, &body, &schedule.recipient, &due];
    client.execute(&insert, &values).await.expect("an insert");
}

async fn fill(url: &str, count: u64) {
    let store = open::<Event>(url).await;
    let (ids, next) = (Arc::new(IdGenerator::new().expect("randomness")), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..512)
        .map(|_| {
            let (store, ids, next) = (Arc::clone(&store), Arc::clone(&ids), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    let event = Event::from_body(&words(n)).expect("an event");
                    let id = ids.next();
                    let document = Document::new(id, event.document(id));
                    let write = Write::Create { document, facts: event.facts() };
                    store.write(write).await.expect("a write");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    let client = bare_pool(url).get().await.expect("a connection");
    client.batch_execute("VACUUM ANALYZE eventpost_events.documents").await.expect("statistics");
}

async fn search(url: &str) {
    let store = open::<Event>(url).await;
    let given = |at, what| Some(argument::<String>(at, what)).filter(|text| text != "-");
    let search = Search {
        words: given(3, "WORDS").map(|all| all.split('+').map(Into::into).collect()).unwrap_or_default(),
        topic: given(4, "TOPIC"),
        from: given(5, "FROM").map(|from| from.parse().expect("seconds")),
        limit: 20,
        ..Search::default()
    };
    let (mut times, mut found) = (Vec::new(), 0);
    for _ in 0..50 {
        let begun = Instant::now();
        let page = store.search(search.clone()).await.expect("a search").expect("a page");
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        found = page.documents.len();
    }
    let slowest = times.iter().copied().fold(0.0, f64::max);
    println!("{found} {:.2} {slowest:.2}", median(times));
}

async fn tails(url: &str, time: Duration) {
    let store = open::<Event>(url).await;
    let all = Arc::new((rows::<Event>(EVENT, 400_000), AtomicUsize::new(0)));
    let (document, facts) = next(&all);
    let id = document.id;
    store.write(Write::Insert { document, facts }).await.expect("an insert");
    for with_writes in [false, true] {
        let (mut writers, stop) = (Vec::new(), Arc::new(AtomicBool::new(false)));
        for _ in 0..if with_writes { 16 } else { 0 } {
            let (store, all, stop) = (Arc::clone(&store), Arc::clone(&all), Arc::clone(&stop));
            writers.push(tokio::spawn(async move {
                let mut tick = tokio::time::interval(Duration::from_millis(16));
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    tick.tick().await;
                    let (document, facts) = next(&all);
                    let begun = Instant::now();
                    store.write(Write::Create { document, facts }).await.expect("a write");
                    times.push(begun.elapsed());
                }
                times
            }));
        }
        let (mut reads, begun) = (Vec::new(), Instant::now());
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        while begun.elapsed() < time {
            tick.tick().await;
            let begun = Instant::now();
            store.get(id).await.expect("a read");
            reads.push(begun.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        let mut writes = Vec::new();
        for writer in writers {
            writes.extend(writer.await.expect("no panic"));
        }
        println!("{} {}", percentiles(reads), percentiles(writes));
    }
}

fn percentiles(mut times: Vec<Duration>) -> String {
    if times.is_empty() {
        return "- -".into();
    }
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_micros();
    format!("{} {}", at(0.99), at(0.999))
}

#[tokio::main]
async fn main() {
    let (url, what): (String, String) = (argument(1, "URL"), argument(2, "WHAT"));
    let seconds = |at| Duration::from_secs(argument(at, "SECONDS"));
    match what.as_str() {
        "get" => get(&url, seconds(3)).await,
        "post" => match argument::<String>(3, "COLLECTION").as_str() {
            "notifications" => post::<Notification>(&url, NOTIFICATION, seconds(4)).await,
            _ => post::<Event>(&url, EVENT, seconds(4)).await,
        },
        "fill" => fill(&url, argument(3, "COUNT")).await,
        "tails" => tails(&url, seconds(3)).await,
        _ => search(&url).await,
    }
}
