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
/// Connections that are kept for changes: of the writer, and of claims and what becomes of them.
const CHANGES: usize = 2;
/// How often the database is asked whether it is there.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// A store in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    pub(super) collection: &'static str,
    /// Connections for reads.
    pub(super) pool: Pool,
    /// Connections for the writer, and for what is due.
    pub(super) changes: Pool,
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
        let manager =
            || Manager { url: url.clone(), schema: schema.clone(), health: Arc::clone(&health) };
        // Reads, however many and slow, do not keep writes and mails from a connection.
        let reads = connections.saturating_sub(CHANGES).max(1);
        let pool = Pool::new(manager(), reads);
        let changes = Pool::new(manager(), CHANGES);
        let counters = Arc::new(Counters::new());
        let (queue, jobs) = mpsc::channel(writer::QUEUE);
        let writer = Writer {
            pool: changes.clone(),
            limits: settings.limits,
            counters: Arc::clone(&counters),
        };
        tokio::spawn(writer.run(jobs));
        let check = tokio::spawn(check_regularly(pool.clone()));
        let places = LISTS.min(reads.div_ceil(2));
        let lists = Arc::new(Semaphore::new(places));
        let last_statistics = Mutex::default();
        let collection = settings.collection;
        Ok(Self {
            collection,
            pool,
            changes,
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
        let Ok(mut connection) = pool.get_now().await else { continue };
        // What it says is noted.
        let sql = "SELECT current_setting('transaction_read_only') = 'on'";
        let Ok(rows) = connection.query(sql, &[]).await else { continue };
        if rows.first().is_some_and(|row| row.try_get(0).unwrap_or(false)) {
            connection.note_read_only();
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.check.abort();
        self.pool.close();
        self.changes.close();
    }
}
