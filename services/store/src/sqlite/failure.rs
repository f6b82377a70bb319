//! Says what an error of SQLite means for the store.

use std::io::Write;
use std::path::Path;

use rusqlite::ffi::ErrorCode;
use rusqlite::{Error, ffi};

use crate::StoreError;

/// The code of SQLite's error, and its extended code.
pub(super) fn code(error: &Error) -> Option<(ErrorCode, i32)> {
    match error {
        Error::SqliteFailure(ffi::Error { code, extended_code }, _) => {
            Some((*code, *extended_code))
        }
        _ => None,
    }
}

/// Whether a value is none that was ever written in its column. SQLite itself found nothing wrong.
pub(super) const fn is_of_a_value(error: &Error) -> bool {
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
    )
}

/// A value that was read; none if it is none that was ever written.
pub(super) fn readable<T>(value: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match value {
        Err(error) if is_of_a_value(&error) => {
            tracing::error!(%error, "a damaged value was read");
            Ok(None)
        }
        value => value.map(Some),
    }
}

/// What an error means that a read or a write met.
pub(super) fn translate(path: &Path, error: &Error) -> StoreError {
    let file = path.to_path_buf();
    let Some((code, extended)) = code(error) else {
        // Types that the tables cannot have, or no row where there always is one.
        return StoreError::Damaged { path: file, what: error.to_string() };
    };
    match code {
        ErrorCode::DiskFull => StoreError::Full { path: file },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            StoreError::Damaged { path: file, what: error.to_string() }
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly { path: file },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            StoreError::Busy { why: "another program uses the database" }
        }
        ErrorCode::OperationInterrupted => StoreError::Interrupted,
        ErrorCode::SystemIoFailure if is_write(extended) => of_write(path, error),
        _ => StoreError::Io { path: file, message: error.to_string() },
    }
}

fn is_write(extended: i32) -> bool {
    [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_TRUNCATE]
        .contains(&extended)
}

/// SQLite calls a write that met a quota or a limit on file sizes an I/O error and does not tell
/// why, so a write of our own finds out.
fn of_write(path: &Path, error: &Error) -> StoreError {
    let probe = path.with_extension("probe");
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let length = length(path).max(length(Path::new(&log)));
    let written = std::fs::File::create(&probe).and_then(|mut file| {
        // Beyond the size of the database and its log, which a limit on file sizes is about.
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(length))?;
        file.write_all(&[0; 8192])
    });
    let _ = std::fs::remove_file(&probe);
    match written.map_err(|error| StoreError::io(path, &error)) {
        Err(full @ StoreError::Full { .. }) => full,
        _ => StoreError::Io { path: path.into(), message: error.to_string() },
    }
}

/// Whether a commit that failed like this may be on the disk all the same, in part or as a whole.
pub(super) fn leaves_doubt(error: &Error) -> bool {
    code(error)
        .is_some_and(|(code, extended)| code == ErrorCode::SystemIoFailure && !is_write(extended))
}
