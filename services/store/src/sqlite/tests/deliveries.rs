//! Deliveries of a former process, and damaged ones.

use std::time::Duration;

use super::*;
use crate::{Claim, DeliveryFilter, DeliveryState, StateName};

const LEASE: Duration = Duration::from_secs(60);

fn mail(n: u32, recipient: &str, due: u64) -> String {
    format!("{n}|5|text|place|topic|{recipient}|{due}")
}

async fn claim(fixture: &Fixture) -> Vec<Claim> {
    fixture.store.claim(10, LEASE).await.unwrap()
}

async fn state(fixture: &Fixture, n: u32) -> DeliveryState {
    fixture.store.delivery(id(n)).await.unwrap().unwrap().1.unwrap().state
}

async fn count(fixture: &Fixture, state: StateName) -> u64 {
    fixture.store.statistics().await.deliveries[state as usize].1
}

#[tokio::test]
async fn a_claim_ends_with_its_process() {
    let fixture = Fixture::new();
    fixture.insert(1, &mail(1, "a@b.org", 10)).await;
    let claims = claim(&fixture).await;
    let fixture = fixture.reopened();
    assert_eq!(count(&fixture, StateName::Scheduled).await, 1);
    let failed = DeliveryState::Failed { time: 7, attempts: 2, reason: "550".into() };
    assert!(!fixture.store.settle(&claims[0], failed).await.unwrap());
    assert_eq!(claim(&fixture).await.len(), 1);
}

#[tokio::test]
async fn attempts_of_a_former_process_are_released_with_their_numbers_or_not_at_all() {
    let fixture = Fixture::new();
    fixture.insert(1, &mail(1, "a@b.org", 10)).await;
    assert_eq!(claim(&fixture).await.len(), 1);
    let Fixture { store, folder } = fixture;
    drop(store);
    let connection = rusqlite::Connection::open(folder.path().join("data.sqlite")).unwrap();
    let sql = "CREATE TEMP TRIGGER refuse BEFORE UPDATE ON main.totals
               BEGIN SELECT RAISE(ABORT, 'refused'); END";
    connection.execute_batch(sql).unwrap();
    assert!(crate::sqlite::writer::release(&connection).is_err());
    let sending = "SELECT count(*) FROM deliveries WHERE state = 1";
    let sending = connection.query_row(sending, [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!((sending, connection.is_autocommit()), (1, true));
    drop(connection);
    let fixture = Fixture { store: SqliteStore::open(folder.path(), &SETTINGS).unwrap(), folder };
    assert_eq!(count(&fixture, StateName::Scheduled).await, 1);
    assert_eq!(count(&fixture, StateName::Sending).await, 0);
}

#[tokio::test]
async fn a_damaged_delivery_is_not_sent_and_keeps_nothing_else_from_being_sent() {
    let fixture = Fixture::new();
    for n in 1..=4 {
        fixture.insert(n, &mail(n, "a@b.org", u64::from(n))).await;
    }
    let connection = rusqlite::Connection::open(fixture.path().join("data.sqlite")).unwrap();
    let sql = "UPDATE deliveries SET state = 17 WHERE id = ?1";
    connection.execute(sql, [id(1)]).unwrap();
    let sql = "UPDATE deliveries SET tag = tag + 1 WHERE id = ?1";
    connection.execute(sql, [id(2)]).unwrap();
    for table in ["documents", "deliveries"] {
        let sql = format!("UPDATE {table} SET id = substr(id, 1, 11) WHERE id = ?1");
        connection.execute(&sql, [id(3)]).unwrap();
    }
    let claims = fixture.store.claim(1, LEASE).await.unwrap();
    let ids: Vec<_> = claims.iter().map(|claim| number(claim.document.id)).collect();
    assert_eq!(ids, [4]);
    let damaged = StoreError::DamagedDocument { id: id(1) };
    assert_eq!(fixture.store.delivery(id(1)).await, Err(damaged));
    let filter = |state| DeliveryFilter { recipient: None, state, after: None, limit: 9 };
    let found = fixture.store.deliveries(filter(Some(StateName::Scheduled))).await.unwrap();
    let ids: Vec<_> = found.iter().map(|(document, _)| number(document.id)).collect();
    assert_eq!(ids, [2]);
    assert_eq!(fixture.store.check(), Ok(()));
    fixture.insert(1, &mail(1, "a@b.org", 5)).await;
    assert_eq!(state(&fixture, 1).await, DeliveryState::Scheduled { due: 5, failures: None });
    fixture.remove(1).await.unwrap();
    assert_eq!(fixture.store.check(), Ok(()));
}
