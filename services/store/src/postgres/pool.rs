//! A bounded number of connections.

use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{
    self, Metrics, Object, PoolError, RecycleError, RecycleResult, TimeoutType,
};

use super::connection::{Connection, connect};
use super::health::Health;
use crate::{DatabaseUrl, StoreError};

/// How long a request waits for a connection.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens connections for a pool.
#[derive(Debug)]
pub(super) struct Manager {
    pub(super) url: DatabaseUrl,
    pub(super) schema: String,
    pub(super) health: Arc<Health>,
}

/// A connection that returns to its pool when it is dropped.
pub(super) type Pooled = Object<Manager>;

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = StoreError;

    async fn create(&self) -> Result<Connection, StoreError> {
        connect(&self.url, &self.schema, &self.health).await
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _metrics: &Metrics,
    ) -> RecycleResult<StoreError> {
        if connection.is_usable() {
            Ok(())
        } else {
            Err(RecycleError::message("the connection is closed"))
        }
    }
}

/// Connections to the database.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pool: managed::Pool<Manager>,
    health: Arc<Health>,
}

impl Pool {
    pub(super) fn new(manager: Manager, connections: usize) -> Self {
        let health = Arc::clone(&manager.health);
        let pool = managed::Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_TIMEOUT))
            .build()
            .expect("there is a runtime for the timeouts");
        Self { pool, health }
    }

    /// A connection; waits for one if all are in use. Fails at once if the database could not be
    /// used a moment ago.
    pub(super) async fn get(&self) -> Result<Pooled, StoreError> {
        match self.health.recent_failure() {
            Some(error) => Err(error),
            None => self.get_now().await,
        }
    }

    /// As [`Self::get`], whatever was seen before.
    pub(super) async fn get_now(&self) -> Result<Pooled, StoreError> {
        let database = || self.health.database().to_owned();
        let error = match self.pool.get().await {
            Ok(connection) => return Ok(connection),
            Err(PoolError::Timeout(TimeoutType::Wait)) => {
                StoreError::Busy { why: "all connections to the database are in use" }
            }
            // Whatever keeps a running service from its database may end.
            Err(PoolError::Backend(StoreError::Database { database, message })) => {
                StoreError::Unavailable { database, reason: message }
            }
            Err(PoolError::Backend(StoreError::DatabaseUrl(error))) => {
                StoreError::Unavailable { database: database(), reason: error.to_string() }
            }
            Err(PoolError::Backend(error)) => error,
            Err(_) => StoreError::Interrupted,
        };
        self.health.note_error(&error);
        Err(error)
    }

    /// Opens no more connections, and closes those that are not in use.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// Closes a connection that is in a state that nobody else should find.
pub(super) fn discard(connection: Pooled) {
    drop(Object::take(connection));
}
