//! Documents, conditions, durability and revisions.

use super::*;

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
