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
//! words       how texts are folded and cut into words, the same for every engine
//! statistics  what a store has counted and measured
//! backup      the format of backups, the same for every engine
//! sqlite      the embedded engine
//! ```
//!
//! Engines are behind [`Store`] and nothing goes around it. Whatever follows from a document is
//! written in the transaction of the document.

pub mod backup;
mod claim;
mod condition;
mod delivery;
mod document;
mod error;
pub mod hex;
mod id;
mod list;
mod search;
mod sqlite;
mod statistics;
mod store;
pub mod words;

pub use backup::{BackupError, BackupSummary};
pub use claim::{Claim, Delivery, DeliveryFilter, RetryOutcome};
pub use condition::{Condition, Tag, Tags};
pub use delivery::{AttemptOutcome, DeliveryState, FailedAttempts, StateName};
pub use document::{Document, Facts, Schedule, SearchFacts, Write, WriteOutcome};
pub use error::StoreError;
pub use id::{IdGenerator, InvalidId, ObjectId};
pub use list::{Chunks, Listing, Page, Revision};
pub use search::{Cursor, Found, Search};
pub use sqlite::{Limits, Settings, SqliteStore, back_up_folder, restore};
pub use statistics::{Histogram, HistogramReading, MICROSECONDS, Statistics};
pub use store::{Store, StoreFuture};
