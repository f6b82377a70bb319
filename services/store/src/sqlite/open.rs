//! Opens a store, and ends it.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc as channel};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::backup::remove_leftovers;
use super::connect::{Use, connect, create, file_in};
use super::maintenance;
use super::schema::{MIGRATIONS, prepare};
use super::shared::Shared;
use super::totals::Totals;
use super::writer::{self, Job, Writer};
use crate::mutex::lock;
use crate::{Settings, StoreError};

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    pub(super) shared: Arc<Shared>,
    /// Where the writer's tasks go; none when the store is being dropped.
    pub(super) queue: Option<mpsc::Sender<Job>>,
    stop_checks: Mutex<Option<channel::Sender<()>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens the store in a folder that the caller has locked, or makes an empty one.
    ///
    /// On a full disk it gives up the space that is kept for removals, since opening needs some
    /// room itself: for the shared memory beside the file, and to release former attempts.
    pub fn open(folder: &Path, settings: &Settings) -> Result<Self, StoreError> {
        match Self::try_open(folder, settings) {
            Err(StoreError::Full { path }) if writer::give_up_spare_in(folder) => {
                tracing::warn!(file = %path.display(), "the disk is full: removals have no room");
                Self::try_open(folder, settings)
            }
            opened => opened,
        }
    }

    fn try_open(folder: &Path, settings: &Settings) -> Result<Self, StoreError> {
        let path = file_in(folder)?;
        remove_leftovers(&path)?;
        create(&path)?;
        let mut connection = connect(&path, Use::Writer)?;
        prepare(&mut connection, &path, settings.collection, MIGRATIONS)?;
        let failed = |error: rusqlite::Error| super::failure::translate(&path, &error);
        writer::release(&connection).map_err(failed)?;
        let totals = Totals::load(&connection).map_err(failed)?;
        let shared = Arc::new(Shared::new(path.clone(), settings.collection, totals)?);
        let (queue, jobs) = mpsc::channel(writer::QUEUE);
        let weak = queue.downgrade();
        let (stop_checks, stop) = channel::channel();
        let writer = Writer::new(connection, Arc::clone(&shared), settings.limits)?;
        let checkpoints = maintenance::connection(&shared)?;
        let (for_log, for_checks) = (Arc::clone(&shared), Arc::clone(&shared));
        let mut store = Self {
            shared,
            queue: Some(queue),
            stop_checks: Mutex::new(Some(stop_checks)),
            threads: Mutex::default(),
        };
        store.start("store-writer", move || writer.run(jobs))?;
        store.start("store-log", move || maintenance::look_after_log(&for_log, &checkpoints))?;
        store.start("store-check", move || {
            maintenance::check_regularly(&for_checks, &weak, &stop);
        })?;
        Ok(store)
    }

    fn start(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        let thread = thread::Builder::new().name(name.into()).spawn(work);
        let thread = thread.map_err(|error| StoreError::io(&self.shared.path, &error))?;
        lock(&self.threads).push(thread);
        Ok(())
    }

    /// Ends the threads, the writer's after what is in its queue.
    fn stop(&mut self) {
        self.queue = None;
        lock(&self.stop_checks).take();
        self.shared.snapshots.end_all();
        self.shared.log.stop();
        for thread in lock(&self.threads).drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.stop();
    }
}
