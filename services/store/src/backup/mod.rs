//! The format of backups: one snapshot of a store as lines of text, the same for every engine.
//!
//! ```text
//! {"eventpost backup": 2, "collection": "events"}
//! {"id": "5e07…", …}                               each document as it is stored, by ascending id
//! {"delivery": {"id": "5e07…", "state": …, "tag": …}}   by ascending id
//! {"suppressed": {"address": "ab12…", "since": …}}      by ascending digest of the address
//! {"mail since": 1577836800000}                    if mails were ever sent
//! {"end": {"documents": 1, "deliveries": 1, "sha256": "…"}}   of everything before this line
//! ```

mod copy;
mod lines;
mod read;
mod write;

use std::io::{self, BufRead};

use crate::StoreError;

pub(crate) use copy::{Source, copy};
pub use read::{Item, Reader};
pub use write::Writer;

/// The version of the format that is written.
pub const VERSION: u64 = 2;

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSummary {
    /// Which resources these are.
    pub collection: String,
    /// The number of documents.
    pub documents: u64,
    /// The number of deliveries.
    pub deliveries: u64,
    /// The SHA-256 of everything but the last line, in hexadecimal digits.
    pub sha256: String,
}

/// Why a backup could not be written, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup could not be written.
    #[error("the backup cannot be written: {0}")]
    Write(#[source] io::Error),
    /// The backup could not be read.
    #[error("the backup cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It does not begin as a backup does.
    #[error("this is not a backup of EventPost: give a file that `backup` has written")]
    NotABackup,
    /// It is of other resources.
    #[error("this is a backup of {found}, not of {expected}: give the right one")]
    OtherCollection {
        /// What it is of.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// A newer version has written it.
    #[error(
        "the backup has format {found}, and this version reads up to {VERSION}: install a newer one"
    )]
    Newer {
        /// The format's version.
        found: u64,
    },
    /// Its end is missing.
    #[error("the backup is cut off after line {line}: make or copy it again")]
    CutOff {
        /// The last line that is whole.
        line: u64,
    },
    /// It is not what was written.
    #[error("the backup is damaged at line {line} ({problem}): use another one")]
    Damaged {
        /// The line.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// There is data, and it was not to be replaced.
    #[error("{0} already contains data: use --replace to replace it")]
    Exists(std::path::PathBuf),
}

/// Reads a whole backup and checks all of it.
pub fn verify(
    reader: &mut dyn BufRead,
    collection: Option<&str>,
) -> Result<BackupSummary, BackupError> {
    let mut reader = Reader::new(reader, collection)?;
    loop {
        if let Item::End(summary) = reader.read()? {
            return Ok(summary);
        }
    }
}

/// The collection that a backup is of. Reads its first line only.
pub fn collection_of(reader: &mut dyn BufRead) -> Result<String, BackupError> {
    Ok(Reader::new(reader, None)?.collection().to_owned())
}

#[cfg(test)]
mod tests;
