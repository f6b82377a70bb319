//! What ends a list that is not read.

use super::*;
use crate::Page;

#[tokio::test]
async fn a_list_that_takes_too_long_ends_even_if_nobody_reads_on() {
    let fixture = Fixture::new();
    fixture.insert(1, "text").await;
    let listing = fixture.store.list(Page::ALL).await.unwrap();
    let snapshots = &fixture.store.shared.snapshots;
    assert!(snapshots.end_late(std::time::Instant::now()).is_some());
    let later = std::time::Instant::now() + std::time::Duration::from_secs(31);
    assert_eq!(snapshots.end_late(later), None);
    let read: Vec<_> = listing.chunks.collect();
    assert_eq!(read, [Err(StoreError::Expired)]);
}

#[tokio::test]
async fn an_unread_list_does_not_let_the_log_grow_without_bound() {
    let fixture = Fixture::new();
    fixture.insert(0, "first").await;
    let listing = fixture.store.list(Page::ALL).await.unwrap();
    // 120 MB of commits, of which the list would keep all.
    for round in 0..2000 {
        let text = char::from(b'a' + u8::try_from(round % 20).unwrap());
        fixture.insert(round % 7, &text.to_string().repeat(60_000)).await;
    }
    let wal = fixture.path().join("data.sqlite-wal").metadata().unwrap().len();
    assert!(wal <= 65 << 20, "{wal}");
    assert_eq!(listing.chunks.last(), Some(Err(StoreError::Expired)));
}
