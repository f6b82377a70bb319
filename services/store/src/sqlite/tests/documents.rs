//! Documents, conditions, durability and revisions.

use std::sync::Arc;

use super::*;
use crate::{Page, Tag, Tags};

fn only(text: &str) -> Condition {
    let matches = Some(Tags::OneOf(vec![Tag::of(text.as_bytes())]));
    Condition { matches, matches_none: None }
}

#[tokio::test]
async fn what_is_written_is_read_also_after_a_start() {
    let fixture = Fixture::new();
    fixture.insert(1, "one").await;
    fixture.insert(2, "two").await;
    fixture.insert(1, "one again").await;
    assert_eq!(fixture.get(1).await.as_deref(), Some("one again"));
    let removed = fixture.remove(2).await.unwrap();
    assert_eq!(removed, WriteOutcome::Done(Some(document(2, "two"))));
    assert_eq!(fixture.remove(2).await, Ok(WriteOutcome::NotFound));
    let fixture = fixture.reopened();
    assert_eq!(fixture.get(1).await.as_deref(), Some("one again"));
    assert_eq!(fixture.get(2).await, None);
    let statistics = fixture.store.statistics();
    assert_eq!((statistics.documents, statistics.bytes), (1, 9));
}

#[tokio::test]
async fn conditions_decide_on_replacing_and_removing() {
    let fixture = Fixture::new();
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

#[tokio::test]
async fn of_writers_at_the_same_time_each_condition_sees_the_one_before() {
    let fixture = Fixture::new();
    let store = Arc::new(fixture.store);
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

#[tokio::test]
async fn a_write_is_carried_out_whatever_becomes_of_its_future() {
    let fixture = Fixture::new();
    for n in 0..100 {
        drop(fixture.store.write(insert(n, &format!("{n}|5|word|place|topic"))));
    }
    fixture.store.close().await.unwrap();
    let fixture = fixture.reopened();
    assert_eq!(fixture.store.statistics().documents, 100);
    let found = fixture.store.search(crate::Search {
        words: vec!["word".into()],
        limit: 1000,
        ..Default::default()
    });
    assert_eq!(found.await.unwrap().unwrap().documents.len(), 100);
}

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
async fn each_commit_makes_a_greater_revision_and_each_start_another() {
    let fixture = Fixture::new();
    let first = fixture.store.revision();
    fixture.insert(1, "one").await;
    let second = fixture.store.revision();
    assert!(second > first);
    assert_eq!(fixture.store.list(Page::ALL).await.unwrap().revision, second);
    // What changes nothing makes none.
    assert_eq!(fixture.remove(7).await, Ok(WriteOutcome::NotFound));
    assert_eq!(fixture.store.revision(), second);
    let fixture = fixture.reopened();
    assert_ne!(fixture.store.revision().tag(), second.tag());
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
    let statistics = fixture.store.statistics();
    assert!(statistics.cache_hits >= 50, "{statistics:?}");
}

#[tokio::test]
async fn many_writes_become_durable_together() {
    let fixture = Fixture::new();
    let store = Arc::new(fixture.store);
    let writes: Vec<_> = (0..500).map(|n| store.write(insert(n, "text"))).collect();
    for write in writes {
        write.await.unwrap();
    }
    let batches = store.statistics().batch_writes;
    assert!(batches.count < 500, "{batches:?}");
    assert!((batches.sum - 500.0).abs() < 0.5, "{batches:?}");
    assert_eq!(store.statistics().documents, 500);
}

#[tokio::test]
async fn limits_refuse_what_grows_and_never_removals() {
    let limits = Limits { max_bytes: Some(10), max_documents: Some(2), reserve_bytes: 0 };
    let fixture = Fixture::with(Settings { limits, ..SETTINGS });
    fixture.insert(1, "12345").await;
    let write = |write| fixture.store.write(write);
    assert_eq!(write(insert(2, "123456")).await, Err(StoreError::TooManyBytes { limit: 10 }));
    fixture.insert(2, "12345").await;
    let many = Err(StoreError::TooManyDocuments { limit: 2 });
    assert_eq!(write(insert(3, "")).await, many);
    let none = Condition::default;
    assert_eq!(
        write(replace(1, "123456", none())).await,
        Err(StoreError::TooManyBytes { limit: 10 })
    );
    assert_eq!(write(replace(1, "1234", none())).await, Ok(WriteOutcome::Done(None)));
    assert!(fixture.remove(2).await.is_ok());
    fixture.insert(3, "123456").await;
    let limits = Limits { reserve_bytes: u64::MAX, ..Limits::default() };
    let fixture = Fixture::with(Settings { limits, ..SETTINGS });
    let refused = fixture.store.write(insert(1, "x")).await;
    assert!(matches!(refused, Err(StoreError::Reserve { .. })), "{refused:?}");
}
