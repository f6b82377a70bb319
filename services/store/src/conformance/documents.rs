//! Documents, conditions, ids, revisions and limits.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::*;
use crate::{Page, Tag, Tags};

of_every_engine! {
    what_is_written_is_read_also_after_a_start,
    conditions_decide_on_replacing_and_removing,
    of_writers_at_the_same_time_each_condition_sees_the_one_before,
    a_write_is_carried_out_whatever_becomes_of_its_future,
    many_writes_become_durable_together,
    ids_of_new_documents_ascend_as_they_become_visible,
    a_document_that_names_its_id_names_the_one_it_gets,
    whoever_goes_on_after_the_last_id_misses_nothing,
    each_commit_makes_a_greater_revision,
    limits_refuse_what_grows_and_never_removals,
    a_closed_store_takes_no_writes_and_is_read,
}

fn only(text: &str) -> Condition {
    let matches = Some(Tags::OneOf(vec![Tag::of(text.as_bytes())]));
    Condition { matches, matches_none: None }
}

async fn what_is_written_is_read_also_after_a_start(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    fixture.insert(1, "one").await;
    fixture.insert(2, "two").await;
    fixture.insert(1, "one again").await;
    assert_eq!(fixture.get(1).await.as_deref(), Some("one again"));
    let removed = fixture.remove(2).await.unwrap();
    assert_eq!(removed, WriteOutcome::Done(Some(document(2, "two"))));
    assert_eq!(fixture.remove(2).await, Ok(WriteOutcome::NotFound));
    let fixture = fixture.reopened().await;
    assert_eq!(fixture.get(1).await.as_deref(), Some("one again"));
    assert_eq!(fixture.get(2).await, None);
    let statistics = fixture.store.statistics().await;
    assert_eq!((statistics.documents, statistics.bytes), (1, 9));
}

async fn conditions_decide_on_replacing_and_removing(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let store = &fixture.store;
    let none = Condition::default;
    assert_eq!(store.write(replace(1, "new", none())).await, Ok(WriteOutcome::NotFound));
    fixture.insert(1, "old").await;
    let failed = Ok(WriteOutcome::ConditionFailed);
    assert_eq!(store.write(replace(1, "new", only("other"))).await, failed);
    let remove = |condition| Write::Remove { id: id(1), condition };
    assert_eq!(store.write(remove(only("other"))).await, failed);
    let done = Ok(WriteOutcome::Done(None));
    assert_eq!(store.write(replace(1, "new", only("old"))).await, done);
    assert_eq!(fixture.get(1).await.as_deref(), Some("new"));
    let removed = store.write(remove(only("new"))).await.unwrap();
    assert_eq!(removed, WriteOutcome::Done(Some(document(1, "new"))));
}

async fn of_writers_at_the_same_time_each_condition_sees_the_one_before(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let store = fixture.store;
    store.write(insert(1, "0")).await.unwrap();
    let attempts: Vec<_> = (0..50)
        .map(|n| {
            let store = Arc::clone(&store);
            let write = replace(1, &format!("by {n}"), only("0"));
            tokio::spawn(async move { store.write(write).await.unwrap() })
        })
        .collect();
    let mut done = 0;
    for attempt in attempts {
        done += u32::from(attempt.await.unwrap() == WriteOutcome::Done(None));
    }
    assert_eq!(done, 1);
}

async fn a_write_is_carried_out_whatever_becomes_of_its_future(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    for n in 0..100 {
        drop(fixture.store.write(insert(n, &format!("{n}|5|word|place|topic"))));
    }
    fixture.store.close().await.unwrap();
    let fixture = fixture.reopened().await;
    assert_eq!(fixture.store.statistics().await.documents, 100);
    let found = fixture.store.search(crate::Search {
        words: vec!["word".into()],
        limit: 1000,
        ..Default::default()
    });
    assert_eq!(found.await.unwrap().unwrap().documents.len(), 100);
}

async fn many_writes_become_durable_together(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let store = fixture.store;
    let writes: Vec<_> = (0..500).map(|n| store.write(insert(n, "text"))).collect();
    for write in writes {
        write.await.unwrap();
    }
    let batches = store.statistics().await.batch_writes;
    assert!(batches.count < 500, "{batches:?}");
    assert!((batches.sum - 500.0).abs() < 0.5, "{batches:?}");
    assert_eq!(store.statistics().await.documents, 500);
}

async fn ids_of_new_documents_ascend_as_they_become_visible(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let created = async |store: &Arc<dyn Store>, n| match store.write(create(n, "text")).await {
        Ok(WriteOutcome::Created(document)) => document.id,
        other => panic!("{other:?}"),
    };
    let store = &fixture.store;
    assert_eq!(created(store, 7).await, id(7));
    // One that was drawn earlier and is stored later.
    assert_eq!(created(store, 5).await, id(8));
    assert_eq!(created(store, 7).await, id(9));
    fixture.insert(20, "text").await;
    assert_eq!(created(store, 12).await, id(21));
    fixture.remove(21).await.unwrap();
    assert_eq!(created(store, 12).await, id(22));
    if let Some(other) = fixture.other().await {
        assert_eq!(created(&other, 3).await, id(23));
        assert_eq!(created(store, 3).await, id(24));
    }
    let fixture = fixture.reopened().await;
    assert!(created(&fixture.store, 1).await > id(22));
}

async fn a_document_that_names_its_id_names_the_one_it_gets(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    fixture.insert(5, "text").await;
    let body = |n| format!("{{\"id\": \"{}\", \"title\": \"t\"}}", id(n));
    let document = Document::new(id(3), body(3));
    let write = Write::Create { document, facts: Facts::default() };
    let expected = Document::new(id(6), body(6));
    assert_eq!(fixture.store.write(write).await, Ok(WriteOutcome::Created(expected.clone())));
    assert_eq!(fixture.store.get(id(6)).await, Ok(Some(expected)));
}

async fn whoever_goes_on_after_the_last_id_misses_nothing(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let stores = [Some(Arc::clone(&fixture.store)), fixture.other().await];
    let mut writers = Vec::new();
    for store in stores.into_iter().flatten().flat_map(|store| [Arc::clone(&store), store]) {
        writers.push(tokio::spawn(async move {
            for n in 0..100 {
                store.write(create(n, "text")).await.unwrap();
            }
        }));
    }
    let expected = 100 * writers.len();
    let (mut after, mut seen) = (None, 0);
    while seen < expected {
        // Before the list is read: the last write may be made just after that.
        let are_done = writers.iter().all(JoinHandle::is_finished);
        let page = fixture.store.list(Page { after, limit: Some(30) }).await.unwrap();
        let documents = chunks(page.chunks).await;
        seen += documents.len();
        after = documents.last().map(|document| document.id).or(after);
        if are_done && documents.is_empty() {
            break;
        }
    }
    assert_eq!(seen, expected);
}

async fn each_commit_makes_a_greater_revision(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let first = fixture.store.revision().await.unwrap();
    fixture.insert(1, "one").await;
    let second = fixture.store.revision().await.unwrap();
    assert!(second.is_at_least(first) && second != first);
    assert_eq!(fixture.store.list(Page::ALL).await.unwrap().revision, second);
    // What changes nothing makes none.
    assert_eq!(fixture.remove(7).await, Ok(WriteOutcome::NotFound));
    assert_eq!(fixture.store.revision().await, Ok(second));
}

async fn limits_refuse_what_grows_and_never_removals(engine: Engine) {
    let limits = Limits { max_bytes: Some(10), max_documents: Some(2), reserve_bytes: 0 };
    let fixture = Fixture::with(engine, Settings { limits, ..SETTINGS }).await;
    fixture.insert(1, "12345").await;
    let write = |write| fixture.store.write(write);
    assert_eq!(write(insert(2, "123456")).await, Err(StoreError::TooManyBytes { limit: 10 }));
    fixture.insert(2, "12345").await;
    let many = Err(StoreError::TooManyDocuments { limit: 2 });
    assert_eq!(write(create(3, "")).await, many);
    let none = Condition::default;
    assert_eq!(
        write(replace(1, "123456", none())).await,
        Err(StoreError::TooManyBytes { limit: 10 })
    );
    assert_eq!(write(replace(1, "1234", none())).await, Ok(WriteOutcome::Done(None)));
    assert!(fixture.remove(2).await.is_ok());
    fixture.insert(3, "123456").await;
}

async fn a_closed_store_takes_no_writes_and_is_read(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    fixture.insert(1, "one").await;
    fixture.store.close().await.unwrap();
    fixture.store.close().await.unwrap();
    assert_eq!(fixture.store.write(insert(2, "two")).await, Err(StoreError::Interrupted));
    assert_eq!(fixture.get(1).await.as_deref(), Some("one"));
}
