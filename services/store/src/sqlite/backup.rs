//! Backups.

use std::io::{self, BufRead};
use std::path::Path;

use super::Settings;
use super::shared::Shared;
use crate::{BackupError, BackupSummary};

pub(super) fn back_up(
    shared: &Shared,
    out: &mut dyn io::Write,
) -> Result<BackupSummary, BackupError> {
    let _ = (shared.collection, out);
    Err(BackupError::NotABackup)
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
