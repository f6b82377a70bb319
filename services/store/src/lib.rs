//! Stores documents with what follows from them: what finds them, and the mails that are due.
//!
//! ```text
//! store       what handlers, search, pages and delivery use: the trait Store
//! document    documents, writes and what follows from them
//! condition   tags, and conditions on them
//! list        pages and lists of documents
//! search      searches and what they find
//! delivery    states of deliveries and their transitions
//! claim       deliveries as they are stored, selected and claimed
//! columns     states of deliveries as values of columns
//! tokens      what documents are found by
//! words       how texts are folded and cut into words, the same for every engine
//! suppression  addresses that get no mails
//! statistics  what a store has counted and measured
//! backup      the format of backups, the same for every engine
//! database_url  where the URL of a database is
//! settings    what a store is opened with, and how much it may hold
//! sqlite      the embedded engine
//! postgres    the engine for a PostgreSQL server, which several processes may use
//! clock, mutex  the time, and locks
//! ```
//!
//! Engines are behind [`Store`] and nothing goes around it. Whatever follows from a document is
//! written in the transaction of the document.

pub mod backup;
mod claim;
mod clock;
mod columns;
mod condition;
#[cfg(test)]
mod conformance;
mod database_url;
mod delivery;
mod document;
mod error;
pub mod hex;
mod id;
mod list;
mod mutex;
mod postgres;
mod search;
mod settings;
mod sqlite;
mod statistics;
mod store;
mod suppression;
mod tokens;
pub mod words;

pub use backup::{BackupError, BackupSummary};
pub use claim::{Claim, Delivery, DeliveryFilter, RetryOutcome};
pub use condition::{Condition, Tag, Tags};
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use delivery::{AttemptOutcome, DeliveryState, FailedAttempts, StateName};
pub use document::{Document, Facts, Schedule, SearchFacts, Write, WriteOutcome};
pub use error::StoreError;
pub use id::{IdGenerator, InvalidId, ObjectId};
pub use list::{Chunks, Listing, Page, Revision};
pub use postgres::{PostgresStore, back_up_database, restore_database};
pub use search::{Cursor, Found, Search};
pub use settings::{Limits, Settings};
pub use sqlite::{SqliteStore, back_up_folder, restore};
pub use statistics::{Histogram, HistogramReading, MICROSECONDS, Statistics};
pub use store::{Store, StoreFuture};
pub use suppression::{AddressDigest, Suppression};
