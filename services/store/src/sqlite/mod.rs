//! The embedded engine: one SQLite file.
//!
//! ```text
//! open         opens a store, and ends it
//! engine       the trait's methods
//! connect      opens connections to the file
//! schema       brings the file to the schema that this program knows
//! failure      what an error of SQLite means
//! shared       what threads and readers share
//! totals       numbers of documents, bytes and deliveries
//! writer       the thread that makes all changes
//! log          SQLite's log of recent commits
//! maintenance  the threads that look after the file
//! mutex        locks what no panic leaves inconsistent
//! snapshots    states that lists and backups are reading
//! pool, cache  connections for short reads, documents that are read most
//! read, list, search, deliveries, state    reading
//! backup       backups of a store, and stores from backups
//! ```

mod backup;
mod cache;
mod connect;
mod deliveries;
mod engine;
mod failure;
mod list;
mod log;
mod maintenance;
mod mutex;
mod open;
mod pool;
mod read;
mod schema;
mod search;
mod shared;
mod snapshots;
mod state;
#[cfg(test)]
mod tests;
mod totals;
mod writer;

use crate::Facts;

pub use backup::{back_up_folder, restore};
pub use open::SqliteStore;

/// How much a store may hold. Removals are never refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all documents.
    pub max_bytes: Option<u64>,
    /// Documents.
    pub max_documents: Option<u64>,
    /// Bytes of the disk that stay free.
    pub reserve_bytes: u64,
}

/// What a store is opened with.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Which resources it holds.
    pub collection: &'static str,
    /// How much it may hold.
    pub limits: Limits,
    /// What follows from a document, for those of a backup.
    pub facts: fn(&[u8]) -> Facts,
}
