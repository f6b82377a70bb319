//! What only this engine does: connections, TLS, passwords, schemas. They need the server of
//! `testbed/postgres`.

mod connections;
mod schemas;

use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::conformance::{SETTINGS, insert, new_database};
use crate::{DatabaseUrl, Settings, Store, StoreError, WriteOutcome};

async fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(DatabaseUrl::value(url), &SETTINGS, 4).await
}

/// Runs statements on a server.
async fn run(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

/// Where the authority of the server's certificate is.
fn authority() -> PathBuf {
    let state = std::env::var_os("EVENTPOST_TESTBED_STATE").map(PathBuf::from);
    state.unwrap_or_else(|| "/var/tmp/eventpost-testbed".into()).join("postgres/ca.pem")
}
