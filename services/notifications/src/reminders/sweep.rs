//! Removes reminders that nobody has confirmed in time, and those that are over.

use std::sync::Arc;
use std::time::Duration;

use rest::writes::WriteGate;
use store::{Store, StoreError};

/// How often they are removed.
const INTERVAL: Duration = Duration::from_secs(60);
/// Reminders that are removed at once.
const BATCH: usize = 100;

/// Removes what is to be removed, until the store is closed.
pub(crate) async fn run(store: Arc<dyn Store>, writes: Arc<WriteGate>) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        match sweep(&*store, &writes).await {
            Ok(()) => {}
            Err(StoreError::Interrupted) => return,
            Err(error) => tracing::error!(%error, "cannot remove reminders that are over"),
        }
    }
}

async fn sweep(store: &dyn Store, writes: &WriteGate) -> Result<(), StoreError> {
    loop {
        // While the service is read-only, its data may be on the way to another service.
        let Some(_permit) = writes.begin() else { return Ok(()) };
        if store.remove_due(BATCH).await? < BATCH {
            return Ok(());
        }
    }
}
