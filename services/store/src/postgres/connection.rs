//! A connection to the database, and what it is used for.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row, Statement};

use super::failure::translate;
use super::health::Health;
use super::tls;
use super::url::{Target, target};
use crate::{DatabaseUrl, StoreError};

/// Values for the parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection, and the statements that were prepared on it.
pub(super) struct Connection {
    client: Client,
    statements: HashMap<&'static str, Statement>,
    health: Arc<Health>,
    is_usable: bool,
}

/// Opens a connection for one collection. The URL is read each time.
pub(super) async fn connect(
    url: &DatabaseUrl,
    schema: &str,
    health: &Arc<Health>,
) -> Result<Connection, StoreError> {
    let source = url.clone();
    // The file may be on a slow disk.
    let (target, connector) = tokio::task::spawn_blocking(move || {
        let target = target(&source)?;
        let connector = tls::connector(&target)?;
        Ok::<_, StoreError>((target, connector))
    })
    .await
    .unwrap_or(Err(StoreError::Interrupted))?;
    let Target { config, .. } = &target;
    let failed = |error| translate(health.database(), &error);
    let is_plain = config.get_ssl_mode() == tokio_postgres::config::SslMode::Disable;
    let client = if is_plain {
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        tokio::spawn(connection);
        client
    } else {
        let (client, connection) = config.connect(connector).await.map_err(failed)?;
        tokio::spawn(connection);
        client
    };
    client.batch_execute(&session(schema)).await.map_err(failed)?;
    let health = Arc::clone(health);
    Ok(Connection { client, statements: HashMap::new(), health, is_usable: true })
}

/// What holds for a session. A transaction that its client does not go on with would keep others
/// from writing, and old rows from being removed.
fn session(schema: &str) -> String {
    format!(
        "SET search_path = {schema}; SET statement_timeout = '5s'; SET lock_timeout = '5s';
         SET idle_in_transaction_session_timeout = '35s'; SET TimeZone = 'UTC'"
    )
}

impl Connection {
    /// Whether it can be used for something else.
    pub(super) fn is_usable(&self) -> bool {
        self.is_usable && !self.client.is_closed()
    }

    /// It is in a state that nobody else should find: it will be closed.
    pub(super) fn spoil(&mut self) {
        self.is_usable = false;
    }

    /// Prepares a statement, once for each connection.
    pub(super) async fn prepare(&mut self, sql: &'static str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let prepared = self.client.prepare(sql).await;
        let statement = self.judge(prepared)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// The rows of a statement, prepared once.
    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepare(sql).await?;
        let rows = self.client.query(&statement, params).await;
        self.judge(rows)
    }

    /// The only row of a statement, if there is one.
    pub(super) async fn query_opt(
        &mut self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// The rows of a statement that is planned for these values.
    pub(super) async fn query_planned(
        &mut self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, StoreError> {
        let rows = self.client.query_typed(sql, params).await;
        self.judge(rows)
    }

    /// The number of rows that a statement has changed.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<u64, StoreError> {
        let statement = self.prepare(sql).await?;
        let count = self.client.execute(&statement, params).await;
        self.judge(count)
    }

    /// Runs statements without values.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        let run = self.client.batch_execute(sql).await;
        self.judge(run)
    }

    /// The driver's client, for statements that are sent without waiting for each other. What
    /// comes back is to be judged.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Says what an error means, and notes whether the database can be used.
    pub(super) fn judge<T>(
        &mut self,
        result: Result<T, tokio_postgres::Error>,
    ) -> Result<T, StoreError> {
        match result {
            Ok(value) => {
                self.health.note_answer();
                Ok(value)
            }
            Err(error) => {
                let error = translate(self.health.database(), &error);
                if matches!(error, StoreError::Unavailable { .. }) {
                    self.spoil();
                }
                self.health.note_error(&error);
                Err(error)
            }
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("is_usable", &self.is_usable()).finish_non_exhaustive()
    }
}
