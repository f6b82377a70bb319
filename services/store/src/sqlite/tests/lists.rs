//! Lists and pages.

use super::*;
use crate::{Chunks, Page};

fn texts(chunks: Chunks) -> Vec<String> {
    let documents = chunks.flat_map(|chunk| chunk.unwrap());
    documents.map(|document| String::from_utf8(document.bytes.to_vec()).unwrap()).collect()
}

async fn filled(count: u32) -> Fixture {
    let fixture = Fixture::new();
    let writes: Vec<_> =
        (0..count).map(|n| fixture.store.write(insert(n, &n.to_string()))).collect();
    for write in writes {
        write.await.unwrap();
    }
    fixture
}

#[tokio::test]
async fn pages_follow_each_other_by_ascending_id() {
    let fixture = filled(25).await;
    let (mut after, mut all) = (None, Vec::new());
    loop {
        let page = fixture.store.list(Page { after, limit: Some(10) }).await.unwrap();
        let (count, bytes) = (page.count, page.bytes);
        let page_texts = texts(page.chunks);
        assert_eq!(count, Some(page_texts.len() as u64));
        assert_eq!(bytes, Some(page_texts.iter().map(|text| text.len() as u64).sum()));
        all.extend(page_texts);
        after = page.next_after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(all, (0..25).map(|n| n.to_string()).collect::<Vec<_>>());
    let rest = fixture.store.list(Page { after: Some(id(20)), limit: None }).await.unwrap();
    assert_eq!((rest.count, texts(rest.chunks).len()), (None, 4));
}

#[tokio::test]
async fn a_list_shows_one_state_whatever_is_written_meanwhile() {
    let fixture = filled(3).await;
    let listing = fixture.store.list(Page::ALL).await.unwrap();
    let revision = fixture.store.revision();
    fixture.insert(1, "changed").await;
    fixture.insert(9, "new").await;
    fixture.remove(0).await.unwrap();
    assert_eq!((listing.count, listing.bytes, listing.revision), (Some(3), Some(3), revision));
    assert_eq!(texts(listing.chunks), ["0", "1", "2"]);
    assert_eq!(texts(fixture.store.list(Page::ALL).await.unwrap().chunks), ["changed", "2", "new"]);
}

#[tokio::test]
async fn chunks_are_bounded_and_a_long_document_has_its_own() {
    let fixture = Fixture::new();
    for (n, length) in [(0, 40_000), (1, 30_000), (2, 100_000), (3, 10), (4, 10)] {
        fixture.insert(n, &"x".repeat(length)).await;
    }
    for limit in [None, Some(10)] {
        let listing = fixture.store.list(Page { after: None, limit }).await.unwrap();
        let lengths: Vec<_> = listing.chunks.map(|chunk| chunk.unwrap().len()).collect();
        assert_eq!(lengths, [1, 1, 1, 2], "{limit:?}");
    }
}

#[tokio::test]
async fn so_many_lists_are_read_at_once_and_no_more() {
    let fixture = filled(1).await;
    let mut lists = Vec::new();
    for _ in 0..32 {
        lists.push(fixture.store.list(Page::ALL).await.unwrap());
    }
    assert_eq!(fixture.store.statistics().open_lists, 32);
    let refused = fixture.store.list(Page::ALL).await.map(|listing| listing.count);
    assert!(matches!(refused, Err(StoreError::Busy { .. })), "{refused:?}");
    // A page needs none of their places.
    assert!(fixture.store.list(Page { after: None, limit: Some(1) }).await.is_ok());
    lists.pop();
    assert_eq!(texts(fixture.store.list(Page::ALL).await.unwrap().chunks), ["0"]);
    drop(lists);
    assert_eq!(fixture.store.statistics().open_lists, 0);
}

#[tokio::test]
async fn a_list_that_takes_too_long_ends_even_if_nobody_reads_on() {
    let fixture = filled(3).await;
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
