//! Words that are listed, and what interrupts a search.

use std::time::Duration;

use super::*;
use crate::Search;
use crate::sqlite::maintenance::forget_words;
use crate::sqlite::search::search_within;

const CONCERT: &str = "2|300|A concert|Café Central|música";

fn search(words: &[&str]) -> Search {
    Search {
        words: words.iter().map(|it| (*it).into()).collect(),
        limit: 1000,
        ..Search::default()
    }
}

async fn found(fixture: &Fixture, search: Search) -> Vec<u32> {
    let found = fixture.store.search(search).await.unwrap().unwrap();
    found.documents.iter().map(|document| number(document.id)).collect()
}

#[tokio::test]
async fn words_that_no_document_has_any_more_are_forgotten() {
    let fixture = Fixture::new();
    fixture.insert(2, CONCERT).await;
    let listed = || {
        let connection = fixture.store.shared.pool.take().unwrap();
        let sql = "SELECT count(*) FROM words WHERE token LIKE '%concert'";
        connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap()
    };
    let forget = async || {
        let weak = fixture.store.queue.as_ref().unwrap().downgrade();
        tokio::task::spawn_blocking(move || forget_words(&weak)).await.unwrap();
    };
    forget().await;
    assert_eq!(listed(), 1);
    fixture.remove(2).await.unwrap();
    forget().await;
    assert_eq!(listed(), 0);
    fixture.insert(2, CONCERT).await;
    assert_eq!(listed(), 1);
    assert_eq!(found(&fixture, search(&["concer"])).await, [2]);
}

#[tokio::test]
async fn more_words_that_begin_alike_than_are_listed_are_found() {
    let fixture = Fixture::new();
    let words: Vec<_> = (0..600).map(|n| format!("concert{n}")).collect();
    fixture.insert(1, &format!("1|1|{}|place|topic", words.join(" "))).await;
    fixture.insert(2, "2|2|concert|place|topic").await;
    assert_eq!(found(&fixture, search(&["concert"])).await, [1, 2]);
    assert_eq!(found(&fixture, search(&["concert59"])).await, [1]);
}

#[tokio::test]
async fn a_search_that_takes_too_long_is_interrupted_and_leaves_no_trace() {
    let fixture = Fixture::new();
    let writes: Vec<_> = (0..500)
        .map(|n| fixture.store.write(insert(n, &format!("{n}|{n}|concert|place|topic"))))
        .collect();
    for write in writes {
        write.await.unwrap();
    }
    let shared = &fixture.store.shared;
    for search in [search(&["concert"]), search(&["co"]), search(&[])] {
        let search = Search { limit: 1000, ..search };
        let interrupted = search_within(shared, &search, Duration::ZERO);
        assert_eq!(interrupted, Err(StoreError::Busy { why: "the search takes too long" }));
        // It is the only connection, and was returned without a transaction.
        assert!(shared.pool.take().unwrap().is_autocommit());
        assert_eq!(found(&fixture, search).await.len(), 500);
        assert_eq!(fixture.store.check(), Ok(()));
    }
}
