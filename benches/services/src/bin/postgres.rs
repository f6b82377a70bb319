//! The services' API over PostgreSQL: synchronous_commit=on, one transaction a request.
//! Arguments: PORT CONNECTION-STRING CONNECTIONS.

use std::sync::atomic::{AtomicUsize, Ordering};

use bench_services::{Documents, argument, serve};
use bytes::Bytes;
use events::Event;
use rest::ObjectId;
use tokio_postgres::{Client, NoTls, Statement};

/// Connections that take turns: PostgreSQL shares a sync among those that commit at the
/// same time.
struct Postgres {
    clients: Vec<(Client, Statement, Statement)>,
    next: AtomicUsize,
}

impl Postgres {
    fn client(&self) -> &(Client, Statement, Statement) {
        &self.clients[self.next.fetch_add(1, Ordering::Relaxed) % self.clients.len()]
    }
}

impl Documents for Postgres {
    async fn insert(&self, id: ObjectId, document: Bytes) {
        let (client, insert, _) = self.client();
        client.execute(insert, &[&&id.bytes()[..], &&document[..]]).await.expect("an insert");
    }

    async fn get(&self, id: ObjectId) -> Option<Bytes> {
        let (client, _, get) = self.client();
        let row = client.query_opt(get, &[&&id.bytes()[..]]).await.expect("a query")?;
        Some(Bytes::copy_from_slice(row.get(0)))
    }
}

#[tokio::main]
async fn main() {
    let address: String = argument(2, "a connection string");
    let mut clients = Vec::new();
    for _ in 0..argument(3, "a number of connections") {
        let (client, connection) = tokio_postgres::connect(&address, NoTls).await.expect("a server");
        tokio::spawn(connection);
        client
            .batch_execute(
                "SET synchronous_commit = on;
                 CREATE TABLE IF NOT EXISTS events (id bytea PRIMARY KEY, document bytea)",
            )
            .await
            .expect("a table");
        let insert = client.prepare("INSERT INTO events VALUES ($1, $2)").await.expect("a statement");
        let get = "SELECT document FROM events WHERE id = $1";
        let get = client.prepare(get).await.expect("a statement");
        clients.push((client, insert, get));
    }
    serve::<Event>(argument(1, "PORT"), Postgres { clients, next: AtomicUsize::new(0) }).await;
}
