//! Says why a store could not do what was asked.

use std::io;
use std::path::{Path, PathBuf};

use crate::{DatabaseUrlError, ObjectId};

/// Why the store could not do what was asked. Nothing was changed then, unless it says that this
/// is in doubt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the quota on it, is full. Later writes may succeed.
    #[error("the disk of {path} is full: make room, no restart is needed")]
    Full {
        /// The store's file.
        path: PathBuf,
    },
    /// The write would leave less of the disk free than is kept in reserve.
    #[error(
        "less than {bytes} bytes of the disk of {path} are free: make room, or lower the reserve"
    )]
    Reserve {
        /// The store's file.
        path: PathBuf,
        /// How many bytes stay free.
        bytes: u64,
    },
    /// The write would exceed the limit on stored bytes.
    #[error("the store is full: it may hold {limit} bytes (--max-bytes); remove something first")]
    TooManyBytes {
        /// The limit.
        limit: u64,
    },
    /// The write would exceed the limit on stored documents.
    #[error("the store is full: it may hold {limit} resources (--max-resources); remove one first")]
    TooManyDocuments {
        /// The limit.
        limit: u64,
    },
    /// The database cannot be reached, or takes no writes. Later requests may succeed.
    #[error("the database {database} cannot be used: {reason}")]
    Unavailable {
        /// Its hosts and its name.
        database: String,
        /// What it or the system said.
        reason: String,
    },
    /// The connection to the database was lost during a commit: the write may have been made.
    #[error(
        "lost the connection to the database {database} during a commit: the change may have been \
         made; check before you retry"
    )]
    InDoubt {
        /// Its hosts and its name.
        database: String,
    },
    /// Of several changes, some had been made when one failed.
    #[error("{done} were changed before this failed: {cause}")]
    Partly {
        /// How many had been made.
        done: u64,
        /// Why the next one failed.
        cause: Box<StoreError>,
    },
    /// The database refused what was asked of it.
    #[error("cannot use the database {database}: {message}")]
    Database {
        /// Its hosts and its name.
        database: String,
        /// What it said.
        message: String,
    },
    /// There is no usable URL of a database.
    #[error(transparent)]
    DatabaseUrl(#[from] DatabaseUrlError),
    /// Reading or writing failed.
    #[error("{path}: {message}")]
    Io {
        /// The store's file or its folder.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// The file is damaged.
    #[error(
        "{path} is damaged ({what}): restore a backup, or move the file away (PostgreSQL: drop the \
         schema) to start empty"
    )]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// What is stored under this id is not what was written.
    #[error("the document {id} is damaged on the disk: replace or delete it, or restore a backup")]
    DamagedDocument {
        /// Its id.
        id: ObjectId,
    },
    /// The file is none of ours, or one of another service.
    #[error(
        "{path} does not contain data of {collection} ({found}): check --data or the database URL"
    )]
    Foreign {
        /// The store's file.
        path: PathBuf,
        /// The collection that was to be opened.
        collection: String,
        /// What was found instead.
        found: String,
    },
    /// The folder has the data of a version that stored it in a log.
    #[error(
        "{path} was written by an older version, which this one cannot read: create the resources \
         again from what that version answers, or choose another folder with --data"
    )]
    OldLog {
        /// The log.
        path: PathBuf,
    },
    /// The file was written by a newer version that has changed it too much.
    #[error(
        "{path} needs at least schema {needs}, and this version knows {knows}: install a newer one"
    )]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// The schema that a program has to know.
        needs: u32,
        /// The newest schema that this program knows.
        knows: u32,
    },
    /// Another program keeps the file locked.
    #[error("{path} is locked by another program: end that one, then start the service again")]
    Locked {
        /// The store's file.
        path: PathBuf,
    },
    /// The file or its folder cannot be written.
    #[error("{path} is read-only: make it and its folder writable for this user")]
    ReadOnly {
        /// The store's file.
        path: PathBuf,
    },
    /// Too much is under way. Later requests may succeed.
    #[error("the store is busy: {why}; try again later")]
    Busy {
        /// What there is too much of.
        why: &'static str,
    },
    /// A list was read too slowly: it kept the space of deleted data in use.
    #[error("the list was not read in time: read it in pages")]
    Expired,
    /// The service is being stopped, and this with it.
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
    /// The error after so many changes have been made.
    pub(crate) fn after(self, done: u64) -> Self {
        if done == 0 { self } else { Self::Partly { done, cause: Box::new(self) } }
    }

    /// The error for what the system said about a file.
    pub fn io(path: &Path, error: &io::Error) -> Self {
        let path = path.into();
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path }
            }
            _ => Self::Io { path, message: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_before_a_failure_is_said() {
        assert_eq!(StoreError::Interrupted.after(0), StoreError::Interrupted);
        let text = StoreError::Interrupted.after(500).to_string();
        assert_eq!(text, "500 were changed before this failed: the service is being stopped");
    }
}
