//! Opens a store.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::connection::{Connection, connect};
use super::counters::Counters;
use super::health::Health;
use super::list::LISTS;
use super::pool::{Manager, Pool};
use super::schema::{MIGRATIONS, name, prepare};
use super::url;
use super::writer::{self, Job, Writer};
use crate::{DatabaseUrl, Settings, Statistics, StoreError};

/// How long a service that starts waits for its database.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const START_RETRY: Duration = Duration::from_secs(1);
/// How often the database is asked whether it is there.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// A store in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    pub(super) collection: &'static str,
    pub(super) pool: Pool,
    pub(super) health: Arc<Health>,
    pub(super) counters: Arc<Counters>,
    /// Places for lists.
    pub(super) lists: Arc<Semaphore>,
    pub(super) places: usize,
    pub(super) queue: mpsc::Sender<Job>,
    pub(super) last_statistics: Mutex<Option<Statistics>>,
    check: JoinHandle<()>,
}

impl PostgresStore {
    /// Opens the store of a collection, with up to so many connections, and brings the database
    /// to the present schema. It waits a while for a database that cannot be reached.
    pub async fn open(
        url: DatabaseUrl,
        settings: &Settings,
        connections: usize,
    ) -> Result<Self, StoreError> {
        let health = Arc::new(Health::new(url::name(&url)?));
        let mut first = wait_for(&url, settings.collection, &health).await?;
        prepare(&mut first, &health, settings.collection, MIGRATIONS).await?;
        drop(first);
        let schema = name(settings.collection);
        let manager = Manager { url, schema, health: Arc::clone(&health) };
        let pool = Pool::new(manager, connections);
        let counters = Arc::new(Counters::new());
        let (queue, jobs) = mpsc::channel(writer::QUEUE);
        let writer =
            Writer { pool: pool.clone(), limits: settings.limits, counters: Arc::clone(&counters) };
        tokio::spawn(writer.run(jobs));
        let check = tokio::spawn(check_regularly(pool.clone()));
        let places = LISTS.min(connections.div_ceil(2));
        let lists = Arc::new(Semaphore::new(places));
        let last_statistics = Mutex::default();
        let collection = settings.collection;
        Ok(Self {
            collection,
            pool,
            health,
            counters,
            lists,
            places,
            queue,
            last_statistics,
            check,
        })
    }
}

/// The first connection.
pub(super) async fn wait_for(
    url: &DatabaseUrl,
    collection: &str,
    health: &Arc<Health>,
) -> Result<Connection, StoreError> {
    let begun = Instant::now();
    loop {
        match connect(url, &name(collection), health).await {
            Err(error @ StoreError::Unavailable { .. }) if begun.elapsed() < START_TIMEOUT => {
                tracing::warn!(%error, "waiting for the database");
                tokio::time::sleep(START_RETRY).await;
            }
            connected => return connected,
        }
    }
}

/// Notes whether the database can be used, also while nobody does.
async fn check_regularly(pool: Pool) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        if let Ok(mut connection) = pool.get().await {
            // What it says is noted.
            let _ = connection.query("SELECT 1", &[]).await;
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.check.abort();
        self.pool.close();
    }
}
