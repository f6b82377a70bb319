//! This module owns durable storage: the [`Store`] that handlers see, and the
//! embedded log behind it (docs/storage.md says why it is ours and how it works).

mod commit;
mod compact;
mod condition;
mod copy;
mod format;
mod index;
mod log;
mod metrics;
mod read;
mod recent;
mod scan;
mod writing;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::id::ObjectId;

pub use condition::{Condition, Tag, Tags};
pub use copy::{Copied, CopyError, Destination, backup, restore, verify};
pub use log::LogStore;
pub use metrics::StoreMetrics;

/// Documents by id. Each answer of a write means that it is on the disk.
pub trait Store: Send + Sync + 'static {
    /// The document stored under `id`.
    fn get(
        &self,
        id: ObjectId,
    ) -> impl Future<Output = Result<Option<Document>, StoreError>> + Send;

    /// As [`Self::get`], if that need not wait for anything.
    fn get_at_once(&self, id: ObjectId) -> Option<Result<Option<Document>, StoreError>>;

    /// The documents of a page, as they are now: later writes do not change what is
    /// read from it.
    fn list(&self, page: Page) -> Listing;

    /// Those of the documents that are there, as each is when it is read.
    fn pick(&self, ids: Vec<ObjectId>) -> Chunks;

    /// Stores a document under an id, in place of what there is.
    fn insert(
        &self,
        id: ObjectId,
        document: Bytes,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Replaces the document under `id` if there is one for which `condition` holds.
    fn replace(
        &self,
        id: ObjectId,
        document: Bytes,
        condition: Condition,
    ) -> impl Future<Output = Result<Outcome<()>, StoreError>> + Send;

    /// Removes the document under `id` if there is one for which `condition` holds,
    /// and returns it.
    fn remove(
        &self,
        id: ObjectId,
        condition: Condition,
    ) -> impl Future<Output = Result<Outcome<Document>, StoreError>> + Send;

    /// The present state of the store as a whole.
    fn revision(&self) -> Revision;

    /// How many documents there are, or why the store takes no writes.
    fn check(&self) -> Result<usize, StoreError>;

    /// What the store has counted and measured.
    fn metrics(&self) -> StoreMetrics;
}

impl<S: Store> Store for Arc<S> {
    fn get(
        &self,
        id: ObjectId,
    ) -> impl Future<Output = Result<Option<Document>, StoreError>> + Send {
        S::get(self, id)
    }

    fn get_at_once(&self, id: ObjectId) -> Option<Result<Option<Document>, StoreError>> {
        S::get_at_once(self, id)
    }

    fn list(&self, page: Page) -> Listing {
        S::list(self, page)
    }

    fn pick(&self, ids: Vec<ObjectId>) -> Chunks {
        S::pick(self, ids)
    }

    fn insert(
        &self,
        id: ObjectId,
        document: Bytes,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        S::insert(self, id, document)
    }

    fn replace(
        &self,
        id: ObjectId,
        document: Bytes,
        condition: Condition,
    ) -> impl Future<Output = Result<Outcome<()>, StoreError>> + Send {
        S::replace(self, id, document, condition)
    }

    fn remove(
        &self,
        id: ObjectId,
        condition: Condition,
    ) -> impl Future<Output = Result<Outcome<Document>, StoreError>> + Send {
        S::remove(self, id, condition)
    }

    fn revision(&self) -> Revision {
        S::revision(self)
    }

    fn check(&self) -> Result<usize, StoreError> {
        S::check(self)
    }

    fn metrics(&self) -> StoreMetrics {
        S::metrics(self)
    }
}

/// A document and what it is recognised by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its bytes, as they were stored.
    pub bytes: Bytes,
    /// The tag of those bytes.
    pub tag: Tag,
}

impl From<Bytes> for Document {
    fn from(bytes: Bytes) -> Self {
        let tag = Tag::of(&bytes);
        Self { bytes, tag }
    }
}

/// A state of a store: every commit makes a greater one, and every start others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision {
    /// Of this start of the store, at random.
    pub(crate) epoch: u64,
    /// Commits since then.
    pub(crate) commits: u64,
}

impl Revision {
    /// What a list of this state is recognised by.
    pub fn tag(self) -> Tag {
        Tag(self.epoch.wrapping_add(self.commits))
    }
}

/// What became of a write to a document that has to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was done.
    Done(T),
    /// There is no such document.
    NotFound,
    /// The condition does not hold for the document that is there.
    ConditionFailed,
}

impl<T> Outcome<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Done(done) => Outcome::Done(change(done)),
            Self::NotFound => Outcome::NotFound,
            Self::ConditionFailed => Outcome::ConditionFailed,
        }
    }
}

/// Which documents to list, by ascending id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only those with greater ids.
    pub after: Option<ObjectId>,
    /// At most so many.
    pub limit: usize,
}

impl Page {
    /// Every document.
    pub const ALL: Self = Self { after: None, limit: usize::MAX };
}

/// Documents to be read in chunks of some 64 KiB. Each read is verified; it may wait
/// for the disk, so it belongs on a thread that may block.
pub struct Listing {
    /// How many documents it is.
    pub count: usize,
    /// The bytes of all of them.
    pub bytes: u64,
    /// The id of the last, where more documents follow it.
    pub next_after: Option<ObjectId>,
    /// The state that it shows.
    pub revision: Revision,
    /// The documents.
    pub chunks: Chunks,
}

/// The documents of a [`Listing`], some at a time.
pub type Chunks = Box<dyn Iterator<Item = Result<Vec<Bytes>, StoreError>> + Send>;

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing")
            .field("count", &self.count)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// Runs what takes long or waits for the disk on a thread that may.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(StoreError::Interrupted))
}

/// Why the store could not do what was asked. Nothing was changed then.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the quota on it, is full. Later writes may succeed.
    #[error("the disk of {path} is full: make room, no restart is needed")]
    Full {
        /// The store's file.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("{path}: {message}")]
    Io {
        /// The store's file or its folder.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// The file holds something that was never written to it.
    #[error(
        "{path} is damaged at byte {offset}: restore it from a copy, or move the file away to \
         start empty"
    )]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// Where the damaged entry begins, in bytes from the start of the file.
        offset: u64,
    },
    /// The file is none of ours, or one of another service or version.
    #[error("{path} is not a log of {collection} that this version can read: {found}")]
    Foreign {
        /// The store's file.
        path: PathBuf,
        /// The collection that was to be opened.
        collection: &'static str,
        /// What was found instead.
        found: String,
    },
    /// The service is being stopped, and this read with it.
    #[error("the service is being stopped")]
    Interrupted,
    /// An earlier failure left unclear what is on the disk; reading goes on.
    #[error("{path} takes no writes after a failed sync: check the disk, then restart the service")]
    Stopped {
        /// The store's file.
        path: PathBuf,
    },
}

impl StoreError {
    pub(crate) fn io(path: &std::path::Path, error: &io::Error) -> Self {
        let path = path.into();
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { path },
            _ => Self::Io { path, message: error.to_string() },
        }
    }
}
