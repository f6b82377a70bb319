//! The engine for a PostgreSQL server, 13 or later, which several processes may use at once.
//!
//! ```text
//! url          what a URL says: hosts, and how its certificate is verified
//! tls          TLS as the URL says
//! connection   a connection and its prepared statements
//! pool         a bounded number of connections
//! failure      what an error of the database means
//! health       whether the database can be used
//! schema       brings the database to the schema that this program knows
//! status       the one row about the whole, which is locked by whoever writes
//! batch        what the writes of one transaction change
//! writer       the task that makes all changes of documents
//! counters     what is counted
//! rows         documents and deliveries as rows
//! removals     documents that are removed at a time
//! suppressions addresses that get no mails
//! list, search, deliveries    reading, and claims
//! backup, restore    backups of a database, and what is restored from them
//! engine       the trait's methods
//! open         opens a store
//! ```

mod backup;
mod batch;
mod connection;
mod counters;
mod deliveries;
mod engine;
mod failure;
mod health;
mod list;
mod open;
mod pool;
mod removals;
mod restore;
mod rows;
mod schema;
mod search;
mod status;
mod suppressions;
#[cfg(test)]
mod tests;
mod tls;
mod url;
mod writer;

pub use backup::back_up_database;
pub use open::PostgresStore;
pub use restore::restore_database;
