//! Programs of two releases with one database, and databases that are none of ours.

use super::*;
use crate::conformance::id;
use crate::postgres::schema::{MIGRATIONS, Migration, name, prepare};

/// A step of a later release that programs of this one can work with.
const COMPATIBLE: Migration = Migration { sql: "ALTER TABLE documents ADD note text", oldest: 1 };
/// A step of the release after that, with which they cannot.
const INCOMPATIBLE: Migration =
    Migration { sql: "ALTER TABLE documents ALTER note SET NOT NULL", oldest: 3 };

/// Brings a database to a schema, as a program would that knows these steps.
async fn migrate(url: &str, steps: &[Migration]) -> Result<(), StoreError> {
    let health = Arc::new(health::Health::new("the database".into()));
    let url = DatabaseUrl::value(url);
    let mut connection = connection::connect(&url, &name("events"), &health).await?;
    prepare(&mut connection, &health, "events", steps).await
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn a_schema_changes_while_both_releases_work_and_the_older_one_can_come_back() {
    let url = new_database().await;
    let old = open(&url).await.unwrap();
    old.write(insert(1, "one")).await.unwrap();
    let newer = [MIGRATIONS, &[COMPATIBLE]].concat();
    migrate(&url, &newer).await.unwrap();
    // The old one goes on, and one that is started now may use the database, too.
    old.write(insert(2, "two")).await.unwrap();
    let back = open(&url).await.unwrap();
    back.write(insert(3, "three")).await.unwrap();
    assert!(old.get(id(3)).await.unwrap().is_some());
    drop(back);
    let newest = [MIGRATIONS, &[COMPATIBLE, INCOMPATIBLE]].concat();
    let sql = "UPDATE eventpost_events.documents SET note = ''";
    run(&url, sql).await;
    migrate(&url, &newest).await.unwrap();
    let refused = open(&url).await.map(drop);
    assert!(matches!(refused, Err(StoreError::Newer { needs: 3, knows: 2, .. })), "{refused:?}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn of_several_programs_that_start_one_makes_the_schema() {
    let url = new_database().await;
    let opened = (0..6).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(&url).await.map(drop) })
    });
    for opened in opened.collect::<Vec<_>>() {
        assert_eq!(opened.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn a_step_that_fails_changes_nothing() {
    let url = new_database().await;
    let bad = Migration { sql: "CREATE TABLE extra (); SELECT 1 / 0", oldest: 1 };
    let failed = migrate(&url, &[MIGRATIONS, &[bad]].concat()).await;
    assert!(matches!(failed, Err(StoreError::Database { .. })), "{failed:?}");
    let store = open(&url).await.unwrap();
    let sql = "SELECT to_regclass('extra') IS NULL";
    let rows = store.pool.get().await.unwrap().query(sql, &[]).await.unwrap();
    assert!(rows[0].get::<_, bool>(0));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn tables_of_another_program_are_left_alone() {
    let url = new_database().await;
    run(&url, "CREATE SCHEMA eventpost_events; CREATE TABLE eventpost_events.mine ()").await;
    let refused = open(&url).await.map(drop);
    assert!(matches!(refused, Err(StoreError::Foreign { .. })), "{refused:?}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn both_services_may_use_one_database() {
    let url = new_database().await;
    let events = open(&url).await.unwrap();
    let settings = Settings { collection: "notifications", ..SETTINGS };
    let notifications = PostgresStore::open(DatabaseUrl::value(url), &settings, 4).await.unwrap();
    events.write(insert(1, "one")).await.unwrap();
    assert_eq!(notifications.get(id(1)).await, Ok(None));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn data_of_the_first_schema_are_backed_up_before_they_are_migrated() {
    let url = new_database().await;
    migrate(&url, &MIGRATIONS[..1]).await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    let backed_up = tokio::task::spawn_blocking(move || {
        let url = DatabaseUrl::value(url);
        crate::back_up_database(url, "events", &runtime, &mut Vec::new())
    });
    assert_eq!(backed_up.await.unwrap().unwrap().documents, 0);
}
