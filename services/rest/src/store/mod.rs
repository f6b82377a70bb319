//! This module owns durable storage: the [`Store`] that handlers see, and the
//! embedded log behind it (docs/storage.md says why it is ours and how it works).

mod commit;
mod compact;
mod format;
mod index;
mod log;
mod scan;

use std::io;
use std::path::PathBuf;

use bytes::Bytes;

use crate::id::ObjectId;

pub use log::LogStore;

/// Documents by id. Each answer of a write means that it is on the disk.
pub trait Store: Send + Sync + 'static {
    /// The document stored under `id`.
    fn get(&self, id: ObjectId) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;

    /// Every document, by ascending id.
    fn list(&self) -> impl Future<Output = Result<Vec<Bytes>, StoreError>> + Send;

    /// Stores a document under a new id.
    fn insert(
        &self,
        id: ObjectId,
        document: Bytes,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Replaces the document under `id`; false, with nothing stored, if there is none.
    fn replace(
        &self,
        id: ObjectId,
        document: Bytes,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes the document under `id` and returns it, if there is one.
    fn remove(
        &self,
        id: ObjectId,
    ) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;

    /// How many documents there are, or why the store takes no writes.
    fn check(&self) -> impl Future<Output = Result<usize, StoreError>> + Send;
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
