//! Documents that are removed at a time, and addresses that get no mails.

use super::backup::JSON;
use super::*;
use crate::AddressDigest;
use crate::clock::now;

of_every_engine! {
    documents_are_removed_at_their_time_unless_they_were_replaced,
    a_restored_document_is_removed_at_its_time,
    an_address_is_suppressed_until_it_wants_mails_again,
    an_older_backup_undoes_no_suppression,
}

fn removed_at(n: u32, at: u64) -> String {
    format!("{n}|5|text|place|topic|a@b.org|{n}|{at}")
}

async fn documents_are_removed_at_their_time_unless_they_were_replaced(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let later = now() + 3_600_000;
    for (n, at) in [(1, 1), (2, 2), (3, 3), (4, later)] {
        fixture.insert(n, &removed_at(n, at)).await;
    }
    fixture.store.write(replace(1, "another", Condition::default())).await.unwrap();
    fixture.store.write(replace(2, &removed_at(2, later), Condition::default())).await.unwrap();
    assert_eq!(fixture.store.remove_due(1).await, Ok(1));
    assert_eq!(fixture.store.remove_due(10).await, Ok(1));
    assert_eq!(fixture.store.remove_due(10).await, Ok(0));
    let found = [fixture.get(1).await, fixture.get(3).await, fixture.get(4).await];
    assert_eq!(found, [Some("another".into()), None, Some(removed_at(4, later))]);
    assert_eq!(fixture.get(2).await, Some(removed_at(2, later)));
    // Its mail is gone, too.
    assert_eq!(fixture.count(StateName::Scheduled).await, 2);
    assert_eq!(fixture.store.statistics().await.documents, 3);
}

async fn a_restored_document_is_removed_at_its_time(engine: Engine) {
    let fixture = Fixture::with(engine, JSON).await;
    backup::put(&*fixture.store, 1, &removed_at(1, 1)).await;
    let (backup, _) = fixture.back_up().await;
    let (fixture, restored) = fixture.restored(&backup, true).await;
    restored.unwrap();
    assert!(fixture.get(1).await.is_some());
    assert_eq!(fixture.store.remove_due(10).await, Ok(1));
    assert_eq!(fixture.get(1).await, None);
}

async fn an_address_is_suppressed_until_it_wants_mails_again(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let (a, b) = (AddressDigest::of("a@b.org"), AddressDigest::of("b@b.org"));
    for _ in 0..2 {
        fixture.store.suppress(a, true).await.unwrap();
    }
    let fixture = fixture.reopened().await;
    assert_eq!(fixture.store.is_suppressed(a).await, Ok(true));
    assert_eq!(fixture.store.is_suppressed(b).await, Ok(false));
    fixture.store.suppress(a, false).await.unwrap();
    assert_eq!(fixture.store.is_suppressed(a).await, Ok(false));
}

async fn an_older_backup_undoes_no_suppression(engine: Engine) {
    let fixture = Fixture::with(engine, JSON).await;
    let addresses = ["a@b.org", "b@b.org", "c@b.org"].map(AddressDigest::of);
    fixture.store.suppress(addresses[0], true).await.unwrap();
    let (backup, _) = fixture.back_up().await;
    fixture.store.suppress(addresses[1], true).await.unwrap();
    let (fixture, restored) = fixture.restored(&backup, true).await;
    restored.unwrap();
    for (address, expected) in addresses.into_iter().zip([true, true, false]) {
        assert_eq!(fixture.store.is_suppressed(address).await, Ok(expected), "{address}");
    }
    // And into an empty store.
    let (other, restored) = Fixture::with(engine, JSON).await.restored(&backup, true).await;
    restored.unwrap();
    assert_eq!(other.store.is_suppressed(addresses[0]).await, Ok(true));
}
