//! Searches, also compared with looking at each document.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::{Cursor, Search};

of_every_engine! {
    fixture,
    words_are_found_by_their_beginning_in_the_order_of_time,
    what_is_no_letter_has_no_meaning_in_a_search,
    a_search_finds_documents_as_they_are_now,
    a_page_goes_on_after_the_one_before,
}

fn search(words: &[&str]) -> Search {
    Search { words: words.iter().map(|it| (*it).into()).collect(), limit: 100, ..Search::default() }
}

async fn found(fixture: &Fixture, search: Search) -> Vec<u32> {
    let found = fixture.store.search(search).await.unwrap().unwrap();
    found.documents.iter().map(|document| number(document.id)).collect()
}

async fn fixture(engine: Engine) -> Fixture {
    let fixture = Fixture::new(engine).await;
    for (n, text) in [
        (0, "0|300|Harvest market|Plaza Mayor|food, Música"),
        (1, "1|100|Café philosophique|Paris|talk"),
        (2, "2|300|A concert|Café Central|música"),
    ] {
        fixture.insert(n, text).await;
    }
    fixture
}

async fn words_are_found_by_their_beginning_in_the_order_of_time(engine: Engine) {
    let fixture = fixture(engine).await;
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

async fn what_is_no_letter_has_no_meaning_in_a_search(engine: Engine) {
    let fixture = fixture(engine).await;
    for word in ["\"", "*", "caf\" OR \"concert", "NEAR(", "tokens:cafe", "'; DROP TABLE x", "\0"] {
        let found = fixture.store.search(search(&[word])).await;
        assert!(found.is_ok(), "{word}: {found:?}");
    }
    assert_eq!(found(&fixture, search(&["or"])).await, [0; 0]);
}

async fn a_search_finds_documents_as_they_are_now(engine: Engine) {
    let fixture = fixture(engine).await;
    fixture.insert(1, "1|500|Something else|Paris|talk").await;
    assert_eq!(found(&fixture, search(&["cafe"])).await, [2]);
    assert_eq!(found(&fixture, search(&[])).await, [0, 2, 1]);
    fixture.remove(2).await.unwrap();
    assert_eq!(found(&fixture, search(&["cafe"])).await, [0; 0]);
    assert_eq!(found(&fixture, search(&["else"])).await, [1]);
    let fixture = fixture.reopened().await;
    assert_eq!(found(&fixture, search(&["else"])).await, [1]);
}

async fn a_page_goes_on_after_the_one_before(engine: Engine) {
    let fixture = fixture(engine).await;
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
async fn all_pages(store: &dyn Store, mut search: Search) -> Vec<u32> {
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

async fn compare(engine: Engine, batches: Vec<Vec<Step>>, searches: Vec<Search>) {
    let fixture = Fixture::new(engine).await;
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
            let mut found = all_pages(&*fixture.store, search.clone()).await;
            assert!(found.is_sorted_by_key(|n| if search.latest_first { -at(n) } else { at(n) }));
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{search:?} in {model:?}");
        }
    }
    let totals = fixture.store.statistics().await;
    assert_eq!(totals.documents, model.len() as u64);
    assert_eq!(totals.bytes, model.values().map(|text| text.len() as u64).sum::<u64>());
}

/// Compares searches with looking at each document, in so many cases.
fn compare_cases(engine: Engine, cases: u32) {
    let steps = prop::collection::vec(prop::collection::vec(step(), 1..12), 1..4);
    let strategy = (steps, prop::collection::vec(any_search(), 12));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
    let result = runner.run(&strategy, |(batches, searches)| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(compare(engine, batches, searches));
        Ok(())
    });
    result.unwrap();
}

#[test]
fn a_search_of_sqlite_finds_what_looking_at_each_document_finds() {
    compare_cases(Engine::Sqlite, 32);
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
fn a_search_of_postgres_finds_what_looking_at_each_document_finds() {
    compare_cases(Engine::Postgres, 16);
}
