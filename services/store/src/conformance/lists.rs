//! Lists and pages.

use super::*;
use crate::Page;

of_every_engine! {
    pages_follow_each_other_by_ascending_id,
    a_list_shows_one_state_whatever_is_written_meanwhile,
    chunks_are_bounded_and_a_long_document_has_its_own,
    so_many_lists_are_read_at_once_and_no_more,
}

async fn filled(engine: Engine, count: u32) -> Fixture {
    let fixture = Fixture::new(engine).await;
    let writes: Vec<_> =
        (0..count).map(|n| fixture.store.write(insert(n, &n.to_string()))).collect();
    for write in writes {
        write.await.unwrap();
    }
    fixture
}

async fn pages_follow_each_other_by_ascending_id(engine: Engine) {
    let fixture = filled(engine, 25).await;
    let (mut after, mut all) = (None, Vec::new());
    loop {
        let page = fixture.store.list(Page { after, limit: Some(10) }).await.unwrap();
        let (count, bytes) = (page.count, page.bytes);
        let page_texts = texts(page.chunks).await;
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
    assert_eq!((rest.count, texts(rest.chunks).await.len()), (None, 4));
}

async fn a_list_shows_one_state_whatever_is_written_meanwhile(engine: Engine) {
    let fixture = filled(engine, 3).await;
    let listing = fixture.store.list(Page::ALL).await.unwrap();
    let revision = fixture.store.revision().await.unwrap();
    fixture.insert(1, "changed").await;
    fixture.insert(9, "new").await;
    fixture.remove(0).await.unwrap();
    assert_eq!((listing.count, listing.bytes, listing.revision), (Some(3), Some(3), revision));
    assert_eq!(texts(listing.chunks).await, ["0", "1", "2"]);
    assert_eq!(
        texts(fixture.store.list(Page::ALL).await.unwrap().chunks).await,
        ["changed", "2", "new"]
    );
}

async fn chunks_are_bounded_and_a_long_document_has_its_own(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    for (n, length) in [(0, 40_000), (1, 30_000), (2, 100_000), (3, 10), (4, 10)] {
        fixture.insert(n, &"x".repeat(length)).await;
    }
    for limit in [None, Some(10)] {
        let listing = fixture.store.list(Page { after: None, limit }).await.unwrap();
        let lengths = || listing.chunks.map(|chunk| chunk.unwrap().len()).collect::<Vec<_>>();
        let lengths = tokio::task::spawn_blocking(lengths).await.unwrap();
        assert_eq!(lengths, [1, 1, 1, 2], "{limit:?}");
    }
}

async fn so_many_lists_are_read_at_once_and_no_more(engine: Engine) {
    let fixture = filled(engine, 1).await;
    let mut lists = Vec::new();
    let refused = loop {
        match fixture.store.list(Page::ALL).await {
            Ok(list) => lists.push(list),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, StoreError::Busy { .. }), "{refused:?}");
    let places = match engine {
        Engine::Sqlite => 32..=32,
        Engine::Postgres => 1..=CONNECTIONS / 2,
    };
    assert!(places.contains(&lists.len()), "{}", lists.len());
    assert_eq!(fixture.store.statistics().await.open_lists, lists.len() as u64);
    // A page needs none of their places.
    assert!(fixture.store.list(Page { after: None, limit: Some(1) }).await.is_ok());
    lists.pop();
    assert_eq!(texts(fixture.store.list(Page::ALL).await.unwrap().chunks).await, ["0"]);
    drop(lists);
    assert_eq!(fixture.store.statistics().await.open_lists, 0);
}
