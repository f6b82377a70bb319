//! Measures the embedded engine: `cargo run --release -p store --example measure -- FOLDER [EVENTS]`.
#![expect(clippy::print_stdout, reason = "it prints what it measures")]
#![expect(clippy::cast_precision_loss, reason = "rates need no more")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store::words::{topics, words};
use store::{
    Document, Facts, IdGenerator, Limits, ObjectId, Page, Search, SearchFacts, Settings,
    SqliteStore, Store, Write,
};

const WRITERS: u64 = 64;
const WORDS: u64 = 20_000;

const SETTINGS: Settings = Settings {
    collection: "events",
    limits: Limits { max_bytes: None, max_documents: None, reserve_bytes: 0 },
    facts,
};

fn facts(_: &[u8]) -> Facts {
    Facts::default()
}

/// A generator of numbers that are different enough.
fn mix(mut n: u64) -> u64 {
    n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

/// A word of a made-up language, of which some are far more common than others.
fn word(n: u64) -> String {
    let uniform = mix(n) % (WORDS * WORDS);
    let rank = uniform.isqrt().abs_diff(WORDS);
    spell(rank.pow(2) / WORDS)
}

fn spell(mut rank: u64) -> String {
    let mut text = String::new();
    rank = mix(rank) % 40_000_000;
    for at in 0..4 {
        let consonants = b"bcdfghjklmnprstvwz";
        let vowels = b"aeiou";
        let index = usize::try_from(rank % 90).unwrap();
        text.push(char::from(consonants[index / 5]));
        text.push(char::from(vowels[index % 5]));
        rank /= 90;
        if rank == 0 && at > 0 {
            break;
        }
    }
    text
}

fn event(n: u64, id: ObjectId) -> (Document, Facts) {
    let text = |from: u64, count: u64| {
        let words: Vec<_> = (0..count).map(|at| word(n * 100 + from + at)).collect();
        words.join(" ")
    };
    let (title, description, place) = (text(0, 5), text(10, 30), text(50, 2));
    let topic = spell(mix(n) % 20);
    // A year of events, at full quarters of an hour.
    let at = 1_700_000_000 + i64::try_from(mix(n ^ 1) % (365 * 96)).unwrap() * 900;
    let body = format!(
        r#"{{"id": "{id}", "title": "{title}", "description": "{description} event", "date": "2026-10-01", "time": "10:00:00", "place": "{place}", "organizer": "", "topics": "{topic}"}}"#
    );
    let all = words(&title).chain(words(&description)).chain(words(&place));
    let search = SearchFacts {
        at,
        words: all.chain(["event".to_owned()]).chain([topic.clone()]).collect(),
        place: words(&place).collect(),
        topics: topics(&topic).collect(),
    };
    (Document::new(id, body), Facts { search: Some(search), ..Facts::default() })
}

async fn fill(store: &Arc<SqliteStore>, events: u64, writers: u64) -> Duration {
    let ids = Arc::new(IdGenerator::new().unwrap());
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (store, ids, next) = (Arc::clone(store), Arc::clone(&ids), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= events {
                        return;
                    }
                    let (document, facts) = event(n, ids.next());
                    store.write(Write::Create { document, facts }).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    begun.elapsed()
}

fn rate(name: &str, count: u64, time: Duration) {
    let rate = count as f64 / time.as_secs_f64();
    println!("{name:44} {rate:>12.0} /s   ({count} in {:.2} s)", time.as_secs_f64());
}

/// The median and the slowest of some searches.
async fn search(store: &SqliteStore, name: &str, search: Search) {
    let mut times = Vec::new();
    let mut count = 0;
    for _ in 0..9 {
        let begun = Instant::now();
        let found = store.search(search.clone()).await.unwrap().unwrap();
        times.push(begun.elapsed());
        count = found.documents.len();
    }
    times.sort_unstable();
    println!("{name:44} {:>9.2?} median, {:>9.2?} slowest ({count} found)", times[4], times[8]);
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_owned()
}

fn sizes(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let bytes = entry.metadata().unwrap().len();
        println!("  {:20} {:>8.1} MB", entry.file_name().display(), bytes as f64 / 1e6);
    }
}

async fn reads(store: &SqliteStore) {
    let mut ids = Vec::new();
    let listing = store.list(Page::ALL).await.unwrap();
    let begun = Instant::now();
    for chunk in listing.chunks {
        ids.extend(chunk.unwrap().iter().map(|document| document.id));
    }
    rate("list of all", ids.len() as u64, begun.elapsed());
    let count = 200_000;
    let begun = Instant::now();
    for n in 0..count {
        let id = ids[usize::try_from(mix(n) % ids.len() as u64).unwrap()];
        if store.get_at_once(id).is_none() {
            store.get(id).await.unwrap();
        }
    }
    rate("GET at random, one thread", count, begun.elapsed());
    let begun = Instant::now();
    for n in 0..count * 5 {
        let id = ids[usize::try_from(mix(n) % 1000).unwrap()];
        if store.get_at_once(id).is_none() {
            store.get(id).await.unwrap();
        }
    }
    rate("GET of 1,000 hot ones, one thread", count * 5, begun.elapsed());
    let begun = Instant::now();
    for n in 0..100 {
        let after = Some(ids[usize::try_from(mix(n) % ids.len() as u64).unwrap()]);
        let page = store.list(Page { after, limit: Some(1000) }).await.unwrap();
        assert!(page.count.is_some());
    }
    rate("pages of 1,000", 100, begun.elapsed());
}

async fn searches(store: &SqliteStore) {
    let words = |words: &[&str]| Search {
        words: words.iter().map(|it| (*it).to_owned()).collect(),
        limit: 50,
        ..Search::default()
    };
    let (common, rare) = (spell(0), spell(19_000));
    let begin = |word: &str, length: usize| word[..length].to_owned();
    search(store, "search: no words", words(&[])).await;
    search(store, "search: a word of every event", words(&["event"])).await;
    search(store, &format!("search: a common word ({common})"), words(&[&common])).await;
    search(store, &format!("search: a rare word ({rare})"), words(&[&rare])).await;
    search(store, "search: no such word", words(&["xyzzy"])).await;
    for length in 1..=5 {
        let beginning = begin(&common, length.min(common.len()));
        let name = format!("search: {length} letters ({beginning})");
        search(store, &name, words(&[&beginning])).await;
    }
    search(store, "search: two common words", words(&[&common, &spell(1)])).await;
    search(store, "search: a rare and a common word", words(&["event", &rare])).await;
    let topic = Search { topic: Some(spell(3)), ..words(&[]) };
    search(store, "search: a topic", topic.clone()).await;
    search(
        store,
        "search: a topic and two letters",
        Search { words: vec![begin(&common, 2)], ..topic },
    )
    .await;
    let latest = Search { latest_first: true, ..words(&[&common]) };
    search(store, "search: a common word, latest first", latest).await;
    let place = Search { place: vec![begin(&common, 3)], ..words(&["event"]) };
    search(store, "search: a place and a word of every event", place).await;
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder =
        arguments.next().expect("the folder to fill, which must be empty or filled by this");
    let events = arguments.next().map_or(1_000_000, |count| count.parse().expect("a number"));
    let folder = Path::new(&folder);
    if !folder.join("data.sqlite").exists() {
        std::fs::create_dir_all(folder).unwrap();
        let alone = tempfile::tempdir_in(folder).unwrap();
        let store = Arc::new(SqliteStore::open(alone.path(), &SETTINGS).unwrap());
        let single = (events / 20).clamp(1, 20_000);
        rate("events, one writer: each its transaction", single, fill(&store, single, 1).await);
        drop(store);
        drop(alone);
        let store = Arc::new(SqliteStore::open(folder, &SETTINGS).unwrap());
        rate("events, 64 writers", events, fill(&store, events, WRITERS).await);
        let statistics = store.statistics().await;
        println!("{:?}\n{:?}", statistics.batch_writes, statistics.commit_seconds);
        println!("checkpoints {}", statistics.checkpoints);
        sizes(folder);
        store.close().await.unwrap();
    }
    let begun = Instant::now();
    let store = SqliteStore::open(folder, &SETTINGS).unwrap();
    println!("{:44} {:>9.2?}", "open", begun.elapsed());
    println!("{:44} {}", "after the start", resident());
    reads(&store).await;
    println!("{:44} {}", "after reads", resident());
    searches(&store).await;
    println!("{:44} {}", "after searches", resident());
    let begun = Instant::now();
    store.check_file().unwrap();
    println!("{:44} {:>9.2?}", "check of the file", begun.elapsed());
}
