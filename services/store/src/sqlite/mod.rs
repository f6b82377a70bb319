//! The embedded engine: one SQLite file.

use std::io::{self, BufRead};
use std::path::Path;

use crate::{BackupError, BackupSummary, Facts, StoreError};

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

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {}

impl SqliteStore {
    /// Opens the store in a folder that the caller has locked, or makes an empty one.
    pub fn open(folder: &Path, settings: &Settings) -> Result<Self, StoreError> {
        let _ = (folder, settings);
        Err(StoreError::Interrupted)
    }
}

/// Puts a backup in the place of what a folder has, which the caller has locked. Without
/// `replace` it is an error if it has data. What was there stays if this fails or is cut off.
pub fn restore(
    folder: &Path,
    settings: &Settings,
    reader: &mut dyn BufRead,
    replace: bool,
) -> Result<BackupSummary, BackupError> {
    let _ = (folder, settings, reader, replace);
    Err(BackupError::NotABackup)
}

/// Writes a backup of the store in a folder, which may be in use by another process.
pub fn back_up_folder(
    folder: &Path,
    collection: &str,
    out: &mut dyn io::Write,
) -> Result<BackupSummary, BackupError> {
    let _ = (folder, collection, out);
    Err(BackupError::NotABackup)
}
