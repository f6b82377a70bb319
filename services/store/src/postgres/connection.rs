//! A connection to the database, and what it is used for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::translate;
use super::health::Health;
use super::tls;
use super::url::target;
use crate::{DatabaseUrl, StoreError};

/// Values for the parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection, and the statements that were prepared on it.
pub(super) struct Connection {
    client: Client,
    statements: HashMap<&'static str, Statement>,
    health: Arc<Health>,
    /// The server's at the time of opening.
    generation: u64,
    is_usable: bool,
    /// An answer is expected.
    is_waiting: bool,
    /// How long an answer is waited for.
    patience: Duration,
}

/// How long one host may take to let a session begin.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long an answer is waited for: longer than the server itself lets anything take but a commit.
const PATIENCE: Duration = Duration::from_secs(15);

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
    let mut failed = None;
    for config in &target.configs {
        // A host that accepts connections and says nothing keeps no other one from being tried.
        let attempt = tokio::time::timeout(ATTEMPT_TIMEOUT, attempt(config, &connector, schema));
        let error = match attempt.await {
            Ok(Ok(client)) => return Ok(Connection::new(client, Arc::clone(health))),
            Ok(Err(error)) => translate(health.database(), &error),
            Err(_) => health.unavailable("it does not answer"),
        };
        // What says that a host is there is more useful than that another one is not.
        if !matches!(failed, Some(StoreError::Database { .. })) {
            failed = Some(error);
        }
    }
    Err(failed.unwrap_or(StoreError::Interrupted))
}

/// Opens a connection to one host.
async fn attempt(
    config: &Config,
    connector: &MakeRustlsConnect,
    schema: &str,
) -> Result<Client, tokio_postgres::Error> {
    let client = if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        client
    } else {
        let (client, connection) = config.connect(connector.clone()).await?;
        tokio::spawn(connection);
        client
    };
    client.batch_execute(&session(schema)).await?;
    Ok(client)
}

/// What holds for a session, whatever the server's defaults are. A transaction that its client
/// does not go on with would keep others from writing, and old rows from being removed.
fn session(schema: &str) -> String {
    format!(
        "SET search_path = {schema}; SET statement_timeout = '5s'; SET lock_timeout = '5s';
         SET idle_in_transaction_session_timeout = '35s'; SET TimeZone = 'UTC';
         SET default_transaction_isolation = 'read committed';
         SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') = 'off'"
    )
}

impl Connection {
    fn new(client: Client, health: Arc<Health>) -> Self {
        Self {
            client,
            statements: HashMap::new(),
            generation: health.generation(),
            health,
            is_usable: true,
            is_waiting: false,
            patience: PATIENCE,
        }
    }

    /// Whether it can be used for something else: not if somebody has left while it was to answer.
    pub(super) fn is_usable(&self) -> bool {
        self.is_usable
            && !self.is_waiting
            && !self.client.is_closed()
            && self.generation == self.health.generation()
    }

    /// Waits so long for each answer from now on.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Waits as long as usual again.
    pub(super) fn reset_patience(&mut self) {
        self.patience = PATIENCE;
    }

    /// The error for a database that has something else than this program has written.
    pub(super) fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged { path: self.health.database().into(), what: what.into() }
    }

    /// The server takes no writes any more.
    pub(super) fn note_read_only(&mut self) {
        self.health.distrust_server();
        self.health.note_error(&self.health.unavailable("it takes no writes"));
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
        self.expect_answer();
        let prepared = self.in_time(self.client.prepare(sql)).await;
        let statement = self.answered(prepared)?;
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
        self.expect_answer();
        let rows = self.in_time(self.client.query(&statement, params)).await;
        self.answered(rows)
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
        self.expect_answer();
        let rows = self.in_time(self.client.query_typed(sql, params)).await;
        self.answered(rows)
    }

    /// The number of rows that a statement has changed.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<u64, StoreError> {
        let statement = self.prepare(sql).await?;
        self.expect_answer();
        let count = self.in_time(self.client.execute(&statement, params)).await;
        self.answered(count)
    }

    /// Runs statements without values.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        self.expect_answer();
        let run = self.in_time(self.client.batch_execute(sql)).await;
        self.answered(run)
    }

    /// The driver's client, for statements that are sent without waiting for each other: between
    /// [`Self::expect_answer`] and [`Self::answered`].
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Notes that an answer is expected. If nobody is there to see it, the connection is closed.
    pub(super) fn expect_answer(&mut self) {
        self.is_waiting = true;
    }

    /// What comes back within the time that is waited; the inner error is the driver's.
    pub(super) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Option<Result<T, tokio_postgres::Error>> {
        tokio::time::timeout(self.patience, answer).await.ok()
    }

    /// Notes an answer, or that there was none in time.
    pub(super) fn answered<T>(
        &mut self,
        answer: Option<Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        self.is_waiting = false;
        let Some(answer) = answer else {
            self.spoil();
            let error = self.health.unavailable("it does not answer");
            self.health.note_error(&error);
            return Err(error);
        };
        self.judge(answer)
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
                if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) {
                    self.health.distrust_server();
                }
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
