//! Certificates, passwords, and sessions that end.

use std::time::{Duration, Instant};

use super::*;

/// Why a database cannot be opened.
async fn refused(url: &str) -> String {
    let health = Arc::new(health::Health::new("the database".into()));
    let url = DatabaseUrl::value(url);
    match connection::connect(&url, "eventpost_events", &health).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn certificates_are_verified_as_far_as_the_url_says() {
    let url = new_database().await;
    let named = url.replace("@127.0.0.1:", "@localhost:");
    let ca = authority();
    let with = |url: &str, mode: &str| format!("{url}?sslmode={mode}&sslrootcert={}", ca.display());
    for good in [
        format!("{url}?sslmode=require"),
        format!("{url}?sslmode=prefer"),
        with(&url, "verify-ca"),
        with(&named, "verify-full"),
        format!("{named}?sslrootcert={}", ca.display()),
    ] {
        let store = open(&good).await.unwrap();
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let row = store.pool.get().await.unwrap().query(sql, &[]).await.unwrap();
        assert!(row[0].get::<_, bool>(0), "{good}");
    }
    let name = refused(&with(&url, "verify-full")).await;
    assert!(name.contains("not valid for name"), "{name}");
    // The authorities that browsers trust have not signed it.
    let unknown = refused(&format!("{named}?sslmode=verify-full")).await;
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    let unknown = refused(&format!("{url}?sslmode=verify-ca")).await;
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    let missing = refused(&format!("{url}?sslrootcert=/no/such/file")).await;
    assert!(missing.contains("cannot use the CA certificates in /no/such/file"), "{missing}");
    let empty = refused(&format!("{url}?sslrootcert=/dev/null")).await;
    assert!(empty.contains("it has no certificate"), "{empty}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn a_changed_password_is_read_without_a_restart() {
    let url = new_database().await;
    let user = format!("rotating_{}", std::process::id());
    let database = url.rsplit_once('/').unwrap().1;
    run(
        &url,
        &format!(
            "DROP ROLE IF EXISTS {user}; CREATE ROLE {user} LOGIN PASSWORD 'first';
             GRANT CREATE ON DATABASE {database} TO {user}"
        ),
    )
    .await;
    let (_, host) = url.rsplit_once('@').unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    let write = |password: &str| {
        std::fs::write(&file, format!("postgres://{user}:{password}@{host}\n")).unwrap();
    };
    write("first");
    let store = PostgresStore::open(DatabaseUrl::file(file.clone()), &SETTINGS, 4).await.unwrap();
    store.write(insert(1, "one")).await.unwrap();
    run(&url, &format!("ALTER ROLE {user} PASSWORD 'second'")).await;
    // Connections are lost, and the password of the file is not the server's any more.
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE usename = '{user}'"
    );
    run(&url, &format!("GRANT {user} TO CURRENT_USER; {end}")).await;
    let begun = Instant::now();
    let error = loop {
        match store.write(insert(2, "two")).await {
            Err(error @ StoreError::Unavailable { .. }) => break error.to_string(),
            other => assert!(begun.elapsed() < Duration::from_secs(30), "{other:?}"),
        }
    };
    assert!(!error.contains("first"), "{error}");
    assert!(store.check().is_err());
    write("second");
    // The check notices within seconds.
    while store.check().is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", store.check());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.write(insert(3, "three")).await, Ok(WriteOutcome::Done(None)));
    drop(store);
    run(&url, &format!("DROP OWNED BY {user} CASCADE; DROP ROLE {user}")).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn a_list_that_is_left_keeps_no_state() {
    let url = new_database().await;
    let store = open(&url).await.unwrap();
    for n in 0..5 {
        store.write(insert(n, &"x".repeat(40_000))).await.unwrap();
    }
    let listing = store.list(crate::Page::ALL).await.unwrap();
    let read = move || {
        let mut chunks = listing.chunks;
        assert!(chunks.next().is_some());
    };
    tokio::task::spawn_blocking(read).await.unwrap();
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND state LIKE 'idle in transaction%'";
    let begun = Instant::now();
    loop {
        let rows = store.pool.get().await.unwrap().query(open, &[]).await.unwrap();
        if rows[0].get::<_, i64>(0) == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the transaction is still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.statistics().await.open_lists, 0);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn a_stopped_writer_elsewhere_keeps_nobody_from_writing_for_long() {
    let url = new_database().await;
    let store = open(&url).await.unwrap();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("BEGIN; SELECT * FROM eventpost_events.status FOR UPDATE").await.unwrap();
    let busy = store.write(insert(1, "one")).await;
    assert!(matches!(busy, Err(StoreError::Busy { .. })), "{busy:?}");
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(store.write(insert(1, "one")).await, Ok(WriteOutcome::Done(None)));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn a_changed_row_is_reported_and_never_shown() {
    let url = new_database().await;
    let store = open(&url).await.unwrap();
    store.write(insert(1, "1|1|one|place|topic")).await.unwrap();
    store.write(insert(2, "2|2|two|place|topic")).await.unwrap();
    run(&url, "UPDATE eventpost_events.documents SET body = 'x' WHERE body LIKE '1%'").await;
    let damaged = StoreError::DamagedDocument { id: crate::conformance::id(1) };
    assert_eq!(store.get(crate::conformance::id(1)).await, Err(damaged.clone()));
    let search = crate::Search { limit: 9, ..Default::default() };
    assert_eq!(store.search(search).await.unwrap().unwrap().documents.len(), 1);
    let page = crate::Page { after: None, limit: Some(9) };
    assert_eq!(store.list(page).await.map(|it| it.count), Err(damaged));
    assert!(store.statistics().await.damaged_documents >= 3);
    // Replacing it makes it whole again.
    store.write(insert(1, "1|1|new|place|topic")).await.unwrap();
    assert!(store.get(crate::conformance::id(1)).await.unwrap().is_some());
}
