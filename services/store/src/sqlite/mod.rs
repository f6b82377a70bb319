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
//! snapshots    states that lists and backups are reading
//! stalls       whether reads wait for the disk
//! numbers      row numbers of documents
//! pool, cache  connections for short reads, documents that are read most
//! reader       a connection that reads
//! read, list, search, deliveries, suppressions, state    reading
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
mod numbers;
mod open;
mod pool;
mod read;
mod reader;
mod schema;
mod search;
mod shared;
mod snapshots;
mod stalls;
mod state;
mod suppressions;
#[cfg(test)]
mod tests;
mod totals;
mod writer;

pub use backup::{back_up_folder, restore};
pub use open::SqliteStore;
