//! Documents, conditions, durability and revisions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::runtime::Handle;

use super::super::numbers;
use super::*;
use crate::{Document, Facts, ObjectId};

#[tokio::test]
async fn a_closed_store_takes_no_writes_and_is_read() {
    let fixture = Fixture::new();
    fixture.insert(1, "one").await;
    fixture.store.close().await.unwrap();
    fixture.store.close().await.unwrap();
    assert_eq!(fixture.store.write(insert(2, "two")).await, Err(StoreError::Interrupted));
    assert_eq!(fixture.get(1).await.as_deref(), Some("one"));
    assert!(!fixture.path().join("data.sqlite-wal").metadata().is_ok_and(|it| it.len() > 0));
}

#[tokio::test]
async fn a_change_is_seen_at_once_by_whoever_has_read_before() {
    let fixture = Fixture::new();
    for round in 0..50 {
        fixture.insert(1, &round.to_string()).await;
        let at_once = fixture.store.get_at_once(id(1));
        let found = match at_once {
            Some(found) => found.unwrap(),
            None => fixture.store.get(id(1)).await.unwrap(),
        };
        assert_eq!(found, Some(document(1, &round.to_string())));
        assert_eq!(fixture.get(1).await, Some(round.to_string()));
    }
    let statistics = fixture.store.statistics().await;
    assert!(statistics.cache_hits >= 50, "{statistics:?}");
}

#[tokio::test]
async fn each_start_makes_another_revision() {
    let fixture = Fixture::new();
    let first = fixture.store.revision().await.unwrap();
    let fixture = fixture.reopened();
    assert_ne!(fixture.store.revision().await.unwrap().tag(), first.tag());
}

#[tokio::test]
async fn a_part_of_the_disk_stays_free() {
    let limits = Limits { reserve_bytes: u64::MAX, ..Limits::default() };
    let fixture = Fixture::with(Settings { limits, ..SETTINGS });
    let refused = fixture.store.write(insert(1, "x")).await;
    assert!(matches!(refused, Err(StoreError::Reserve { .. })), "{refused:?}");
}

#[tokio::test]
async fn ids_that_prefer_the_same_row_have_rows_of_their_own() {
    // They differ in what tells processes apart, and not in the seven bits of it that count.
    let ids = [1, 2, 4].map(|n| {
        let mut bytes = [7; 12];
        (bytes[4], bytes[5]) = (n, n);
        ObjectId::from_bytes(bytes)
    });
    assert_eq!(ids.map(numbers::preferred), [numbers::preferred(ids[0]); 3]);
    let fixture = Fixture::new();
    let documents = ids.map(|id| Document::new(id, id.to_string()));
    for document in documents.clone() {
        let write = Write::Insert { document, facts: Facts::default() };
        fixture.store.write(write).await.unwrap();
    }
    let fixture = fixture.reopened();
    for document in documents.clone() {
        assert_eq!(fixture.store.get(document.id).await, Ok(Some(document)));
    }
    // The others stay where they are when one goes.
    let remove = Write::Remove { id: ids[0], condition: Condition::default() };
    fixture.store.write(remove).await.unwrap();
    let fixture = fixture.reopened();
    let found = [
        fixture.store.get(ids[0]).await.unwrap(),
        fixture.store.get(ids[1]).await.unwrap(),
        fixture.store.get(ids[2]).await.unwrap(),
    ];
    let [_, second, third] = documents;
    assert_eq!(found, [None, Some(second), Some(third)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_reads_do_not_keep_the_log_from_starting_again() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let text = "x".repeat(60_000);
    for n in 0..100 {
        fixture.insert(n, &text).await;
    }
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Too long for the cache: each is read from the file or the log.
        for _ in 0..2 {
            scope.spawn(|| {
                let reads = (0..100).cycle().take_while(|_| !is_done.load(Ordering::Relaxed));
                reads.for_each(|n| drop(store.get_at_once(id(n))));
            });
        }
        let write = |n: u32| store.write(insert(n % 100, &format!("{n}{text}")));
        // Some 140 MiB.
        for round in 0..300 {
            let writes: Vec<_> = (0..8).map(|n| write(round * 8 + n)).collect();
            for write in writes {
                tokio::task::block_in_place(|| Handle::current().block_on(write)).unwrap();
            }
        }
        is_done.store(true, Ordering::Relaxed);
    });
    let statistics = store.statistics().await;
    // What writes wait for, and one commit.
    assert!(statistics.log_bytes < 66 << 20, "{statistics:?}");
}
