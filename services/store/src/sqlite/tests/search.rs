//! Searches, also compared with looking at each document.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::sqlite::maintenance::forget_words;
use crate::sqlite::search::search_within;
use crate::{Cursor, Search};

fn search(words: &[&str]) -> Search {
    Search { words: words.iter().map(|it| (*it).into()).collect(), limit: 100, ..Search::default() }
}

async fn found(fixture: &Fixture, search: Search) -> Vec<u32> {
    let found = fixture.store.search(search).await.unwrap().unwrap();
    found.documents.iter().map(|document| number(document.id)).collect()
}

async fn fixture() -> Fixture {
    let fixture = Fixture::new();
    for (n, text) in [
        (0, "0|300|Harvest market|Plaza Mayor|food, Música"),
        (1, "1|100|Café philosophique|Paris|talk"),
        (2, "2|300|A concert|Café Central|música"),
    ] {
        fixture.insert(n, text).await;
    }
    fixture
}

#[tokio::test]
async fn words_are_found_by_their_beginning_in_the_order_of_time() {
    let fixture = fixture().await;
    assert_eq!(found(&fixture, search(&["cafe"])).await, [1, 2]);
    assert_eq!(found(&fixture, search(&["ca"])).await, [1, 2]);
    assert_eq!(found(&fixture, search(&["c"])).await, [1, 2]);
    assert_eq!(found(&fixture, search(&["concert", "caf"])).await, [2]);
    assert_eq!(found(&fixture, search(&["oncert"])).await, [0; 0]);
    assert_eq!(found(&fixture, search(&["philosoph"])).await, [1]);
    assert_eq!(found(&fixture, search(&[])).await, [1, 0, 2]);
    let place = Search { place: vec!["cafe".into()], ..search(&[]) };
    assert_eq!(found(&fixture, place).await, [2]);
    let topic = |topic: &str| Search { topic: Some(topic.into()), ..search(&[]) };
    assert_eq!(found(&fixture, topic("musica")).await, [0, 2]);
    assert_eq!(found(&fixture, topic("music")).await, [0; 0]);
    let range = |from, to| Search { from, to, ..search(&[]) };
    assert_eq!(found(&fixture, range(Some(101), None)).await, [0, 2]);
    assert_eq!(found(&fixture, range(Some(300), Some(300))).await, [0, 2]);
    assert_eq!(found(&fixture, range(None, Some(299))).await, [1]);
    assert_eq!(found(&fixture, range(Some(300), Some(299))).await, [0; 0]);
    let latest_first = Search { latest_first: true, ..search(&["cafe"]) };
    assert_eq!(found(&fixture, latest_first).await, [2, 1]);
}

#[tokio::test]
async fn what_is_no_letter_has_no_meaning_in_a_search() {
    let fixture = fixture().await;
    for word in ["\"", "*", "caf\" OR \"concert", "NEAR(", "tokens:cafe", "'; DROP TABLE x", "\0"] {
        let found = fixture.store.search(search(&[word])).await;
        assert!(found.is_ok(), "{word}: {found:?}");
    }
    assert_eq!(found(&fixture, search(&["or"])).await, [0; 0]);
}

#[tokio::test]
async fn a_search_finds_documents_as_they_are_now() {
    let fixture = fixture().await;
    fixture.insert(1, "1|500|Something else|Paris|talk").await;
    assert_eq!(found(&fixture, search(&["cafe"])).await, [2]);
    assert_eq!(found(&fixture, search(&[])).await, [0, 2, 1]);
    fixture.remove(2).await.unwrap();
    assert_eq!(found(&fixture, search(&["cafe"])).await, [0; 0]);
    assert_eq!(found(&fixture, search(&["else"])).await, [1]);
    let fixture = fixture.reopened();
    assert_eq!(found(&fixture, search(&["else"])).await, [1]);
}

#[tokio::test]
async fn a_page_goes_on_after_the_one_before() {
    let fixture = fixture().await;
    let page = |after, latest_first| Search { after, latest_first, limit: 1, ..search(&[]) };
    for (latest_first, order) in [(false, [1, 0, 2]), (true, [2, 0, 1])] {
        let mut after = None;
        for (at, expected) in order.into_iter().enumerate() {
            let found = fixture.store.search(page(after, latest_first)).await.unwrap().unwrap();
            assert_eq!(number(found.documents[0].id), expected);
            assert_eq!(found.next.is_some(), at < 2);
            after = Some(Cursor { id: id(expected), key: None });
            assert!(found.next.is_none_or(|next| next.id == id(expected)));
        }
    }
    // With its key a document need not be there any more, without it has to.
    let first = fixture.store.search(page(None, false)).await.unwrap().unwrap();
    fixture.remove(1).await.unwrap();
    assert_eq!(found(&fixture, page(first.next, false)).await, [0]);
    let unknown = Some(Cursor { id: id(1), key: None });
    assert_eq!(fixture.store.search(page(unknown, false)).await, Ok(None));
}

#[tokio::test]
async fn words_that_no_document_has_any_more_are_forgotten() {
    let fixture = fixture().await;
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
    fixture.insert(2, "2|300|A concert|Café Central|música").await;
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
        assert!(shared.pool.take_idle().unwrap().is_autocommit());
        assert_eq!(found(&fixture, search).await.len(), 500);
        assert_eq!(fixture.store.check(), Ok(()));
    }
}

/// What a test does to a store.
#[derive(Debug, Clone)]
enum Step {
    Insert(u32, String),
    Remove(u32),
}

fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Café",
        "cafe",
        "ca",
        "concert",
        "Concerts",
        "con",
        "ÉCOLE",
        "école",
        "東京",
        "a",
        "ab",
        "ABC",
        "abcd",
        "abcde",
        "x-y",
        "Rock&Roll",
        "1",
        "10",
    ]);
    let text = prop::collection::vec(word, 0..5).prop_map(|words| words.join(" "));
    let topic = prop::sample::select(vec!["", "Música", "musica", "rock&roll", "a b", "a"]);
    (-3..3_i64, text.clone(), text, prop::collection::vec(topic, 0..3))
        .prop_map(|(at, text, place, topics)| format!("|{at}|{text}|{place}|{}", topics.join(", ")))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_u32, text()).prop_map(|(n, text)| Step::Insert(n, format!("{n}{text}"))),
        1 => (0..12_u32).prop_map(Step::Remove),
    ]
}

fn any_search() -> impl Strategy<Value = Search> {
    let word = prop::sample::select(vec![
        "c", "ca", "caf", "cafe", "con", "conc", "concerts", "ecole", "e", "東", "a", "abc",
        "abcd", "1", "roll", "zz",
    ]);
    let words = prop::collection::vec(word.prop_map(str::to_owned), 0..3);
    let topic = prop::sample::select(vec!["musica", "rock&roll", "a b", "a", "none"]);
    (
        words.clone(),
        prop_oneof![3 => Just(vec![]), 1 => words],
        prop::option::of(topic.prop_map(str::to_owned)),
        prop::option::of(-3..3_i64),
        prop::option::of(-3..3_i64),
        any::<bool>(),
        1..6_usize,
    )
        .prop_map(|(words, place, topic, from, to, latest_first, limit)| Search {
            words,
            place,
            topic,
            from,
            to,
            latest_first,
            after: None,
            limit,
        })
}

/// Whether a document is one that a search is for, from its text alone.
fn matches(text: &str, search: &Search) -> bool {
    let facts = facts(text.as_bytes()).search.unwrap();
    let begins = |words: &[String], of: &str| words.iter().any(|word| word.starts_with(of));
    search.words.iter().all(|word| begins(&facts.words, word))
        && search.place.iter().all(|word| begins(&facts.place, word))
        && search.topic.as_ref().is_none_or(|topic| facts.topics.contains(topic))
        && search.from.is_none_or(|from| facts.at >= from)
        && search.to.is_none_or(|to| facts.at <= to)
}

/// All pages of a search.
async fn all_pages(store: &SqliteStore, mut search: Search) -> Vec<u32> {
    let mut all = Vec::new();
    loop {
        let found = store.search(search.clone()).await.unwrap().unwrap();
        assert!(found.documents.len() <= search.limit);
        all.extend(found.documents.iter().map(|document| number(document.id)));
        if found.next.is_none() {
            return all;
        }
        search.after = found.next;
    }
}

async fn compare(batches: Vec<Vec<Step>>, searches: Vec<Search>) {
    let fixture = Fixture::new();
    let mut model = BTreeMap::new();
    for batch in batches {
        let mut writes = Vec::new();
        for step in batch {
            writes.push(match step {
                Step::Insert(n, text) => {
                    let write = fixture.store.write(insert(n, &text));
                    model.insert(n, text);
                    write
                }
                Step::Remove(n) => {
                    model.remove(&n);
                    let condition = Condition::default();
                    fixture.store.write(Write::Remove { id: id(n), condition })
                }
            });
        }
        for write in writes {
            write.await.unwrap();
        }
        for search in &searches {
            let at = |n: &u32| facts(model[n].as_bytes()).search.unwrap().at;
            let expected = model.iter().filter(|(_, text)| matches(text, search));
            let mut expected: Vec<u32> = expected.map(|(n, _)| *n).collect();
            let mut found = all_pages(&fixture.store, search.clone()).await;
            assert!(found.is_sorted_by_key(|n| if search.latest_first { -at(n) } else { at(n) }));
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{search:?} in {model:?}");
        }
    }
    let totals = fixture.store.statistics();
    assert_eq!(totals.documents, model.len() as u64);
    assert_eq!(totals.bytes, model.values().map(|text| text.len() as u64).sum::<u64>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_search_finds_what_looking_at_each_document_finds(
        batches in prop::collection::vec(prop::collection::vec(step(), 1..12), 1..4),
        searches in prop::collection::vec(any_search(), 12),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(compare(batches, searches));
    }
}
