//! Opens connections to the file.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure::translate;
use crate::StoreError;

/// The name of the database in its folder.
pub(super) const FILE: &str = "data.sqlite";
/// What the former engine left in a folder: its log.
const OLD_LOG: &str = "log";
/// How long a connection waits for another program's lock.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// All writes.
    Writer,
    /// Short reads.
    Reader,
    /// A list, a backup or a check, which read each page once.
    Scan,
}

/// The database's file in a folder. It is an error if the folder has the former engine's log.
pub(super) fn file_in(folder: &Path) -> Result<PathBuf, StoreError> {
    let (path, log) = (folder.join(FILE), folder.join(OLD_LOG));
    if !path.exists() && log.exists() { Err(StoreError::OldLog { path: log }) } else { Ok(path) }
}

/// Creates an empty file that only its owner can use, if there is none.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    if path.exists() {
        // Something may have opened it to others.
        make_private(path);
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let create = || {
        fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
        // SQLite makes its log's name durable, but not that of the file itself.
        File::open(folder)?.sync_all()
    };
    create().map_err(|error| StoreError::io(path, &error))
}

/// Opens a connection to an existing file.
pub(super) fn connect(path: &Path, purpose: Use) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        set_up(&connection, purpose)?;
        Ok(connection)
    };
    open().map_err(|error| failed(path, &error))
}

/// Opens a connection that only reads, for a file that another process may write.
pub(super) fn connect_beside(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        set_up(&connection, Use::Scan)?;
        // Reading is what creates the files beside it.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    let connection = open().map_err(|error| failed(path, &error))?;
    make_private(path);
    Ok(connection)
}

/// Takes the database and the files beside it away from others. SQLite creates these with the
/// mode of the database, or with what the umask leaves.
fn make_private(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(ending);
        // Files of another user, or that do not exist, stay as they are.
        let _ = fs::set_permissions(Path::new(&file), Permissions::from_mode(0o600));
    }
}

/// At this point only another program can be in the way.
fn failed(path: &Path, error: &rusqlite::Error) -> StoreError {
    match translate(path, error) {
        StoreError::Busy { .. } => StoreError::Locked { path: path.into() },
        other => other,
    }
}

fn set_up(connection: &Connection, purpose: Use) -> rusqlite::Result<()> {
    connection.busy_timeout(LOCK_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Pages, in KiB: more would repeat what the system's cache has.
    let cache = match purpose {
        Use::Writer => 4096,
        Use::Reader => 2048,
        Use::Scan => 64,
    };
    connection.execute_batch(&format!(
        "PRAGMA cache_size = -{cache}; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;
         PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
    ))?;
    if purpose == Use::Writer {
        connection.set_prepared_statement_cache_capacity(64);
        // The log's file shrinks to this after it had to grow.
        connection.execute_batch("PRAGMA journal_size_limit = 8388608;")
    } else {
        connection.execute_batch("PRAGMA query_only = ON;")
    }
}
