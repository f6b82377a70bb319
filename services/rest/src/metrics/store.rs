//! Encodes what the store has counted and measured.

use std::fmt;

use ::store::Statistics;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::{Reading, counter, gauge, metric};

/// The statistics of a store, for a registry.
#[derive(Debug)]
pub(crate) struct StoreMetrics(pub(crate) Statistics);

impl Collector for StoreMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (Self(of), out) = (self, &mut encoder);
        gauge(out, "eventpost_resources", "Resources stored.", of.documents)?;
        gauge(out, "eventpost_store_live_bytes", "Bytes of all resources.", of.bytes)?;
        gauge(out, "eventpost_store_bytes", "Size of the database file.", of.file_bytes)?;
        let help = "Size of the log of recent commits.";
        gauge(out, "eventpost_store_log_bytes", help, of.log_bytes)?;
        gauge(out, "eventpost_store_open_lists", "Lists that are being read.", of.open_lists)?;
        let writes = Reading(&of.batch_writes);
        metric(out, "eventpost_store_batch_writes", "Writes in one commit.", &writes)?;
        let help = "Time to make a commit durable.";
        metric(out, "eventpost_store_sync_seconds", help, &Reading(&of.commit_seconds))?;
        counter(out, "eventpost_store_failed_commits", "Commits that failed.", of.failed_commits)?;
        let help = "Times that commits were moved from the log to the database.";
        counter(out, "eventpost_store_checkpoints", help, of.checkpoints)?;
        counter(out, "eventpost_store_cache_hits", "Reads from memory.", of.cache_hits)?;
        let help = "Reads from the database.";
        counter(out, "eventpost_store_cache_misses", help, of.cache_misses)?;
        let help = "Resources that were found damaged.";
        counter(out, "eventpost_store_damaged_resources", help, of.damaged_documents)
    }
}
