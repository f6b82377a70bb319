//! Backups of a store, and stores from backups.

use std::fs::{self, File};
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::connect::{FILE, Use, connect, connect_beside, create};
use super::failure::translate;
use super::list;
use super::log::{LARGEST, Log};
use super::schema::{MIGRATIONS, SUPPRESSIONS, known, level, prepare};
use super::shared::Shared;
use super::snapshots::{Reader, Snapshot};
use super::state::{COLUMNS, delivery};
use super::suppressions;
use super::totals::Totals;
use super::writer::{MAIL_SINCE, Restorer, meta};
use crate::backup::{self, Source, copy};
use crate::columns::{after_bytes, rows};
use crate::mutex::lock;
use crate::{
    AddressDigest, BackupError, BackupSummary, Delivery, Document, ObjectId, Settings, StoreError,
    Suppression,
};

const SLOW_READER: &str = "the backup was not read in time, and kept the service from writing";
/// How long a backup may keep the service from writing, in seconds.
const MAX_BLOCKED_SECONDS: u32 = 10;
/// Bytes of documents, and deliveries, that are read at once.
const PART_BYTES: usize = 256 * 1024;
const PART_ROWS: usize = 1000;
/// What the file that is being restored has in place of the database's extension.
const RESTORING: &str = "restoring";

/// Where a state is read.
trait State {
    /// Reads from the state.
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError>;

    /// The database's file.
    fn path(&self) -> &Path;
}

/// A state of an open store.
struct Open<'a> {
    shared: &'a Shared,
    snapshot: Snapshot<'a>,
}

impl State for Open<'_> {
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let translate = |error| self.shared.translate(&error);
        self.snapshot.read(|connection| read(connection).map_err(translate))
    }

    fn path(&self) -> &Path {
        &self.shared.path
    }
}

/// A state of a store that another process may have open. Its connection may be taken away.
struct Beside<'a> {
    path: &'a Path,
    connection: &'a Mutex<Option<Connection>>,
}

impl State for Beside<'_> {
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        match &*lock(self.connection) {
            Some(connection) => read(connection).map_err(|error| translate(self.path, &error)),
            None => Err(StoreError::Busy { why: SLOW_READER }),
        }
    }

    fn path(&self) -> &Path {
        self.path
    }
}

/// A state as the source of a backup.
struct Parts<S> {
    state: S,
    /// Whether the file has the tables of suppressions: one of the last release has not.
    has_suppressions: bool,
}

impl<S: State> Source for Parts<S> {
    fn count(&mut self) -> Result<u64, StoreError> {
        self.state.read(|connection| Ok(Totals::load(connection)?.documents))
    }

    fn documents(
        &mut self,
        after: Option<ObjectId>,
    ) -> Result<Vec<Result<Document, ObjectId>>, StoreError> {
        self.state.read(|connection| list::read(connection, after, usize::MAX, PART_BYTES))
    }

    fn deliveries(
        &mut self,
        after: Option<ObjectId>,
    ) -> Result<Vec<(ObjectId, Option<Delivery>)>, StoreError> {
        self.state.read(|connection| read_deliveries(connection, after))
    }

    fn suppressions(
        &mut self,
        after: Option<AddressDigest>,
    ) -> Result<Vec<Suppression>, StoreError> {
        if !self.has_suppressions {
            return Ok(Vec::new());
        }
        self.state.read(|connection| suppressions::select(connection, after, PART_ROWS))
    }

    fn mail_since(&mut self) -> Result<Option<u64>, StoreError> {
        let since = self.state.read(|connection| meta(connection, MAIL_SINCE))?;
        Ok(since.map(|since| u64::try_from(since).unwrap_or(0)))
    }

    fn incomplete(&self) -> StoreError {
        let what = "documents are missing from the index by id".into();
        StoreError::Damaged { path: self.state.path().into(), what }
    }
}

/// Writes a backup of an open store.
pub(super) fn back_up(
    shared: &Shared,
    out: &mut dyn io::Write,
) -> Result<BackupSummary, BackupError> {
    damage(shared.check())?;
    let snapshot = Snapshot::begin(&shared.snapshots, Reader::Backup)?;
    // An open store has all steps.
    let mut state = Parts { state: Open { shared, snapshot }, has_suppressions: true };
    let summary = copy(&mut state, shared.collection, out)?;
    // Damage that was found meanwhile may be in what was written.
    damage(shared.check())?;
    Ok(summary)
}

/// Writes a backup of the store in a folder, which may be in use by another process.
pub fn back_up_folder(
    folder: &Path,
    collection: &str,
    out: &mut dyn io::Write,
) -> Result<BackupSummary, BackupError> {
    let path = super::connect::file_in(folder)?;
    let connection = connect_beside(&path)?;
    let failed = |error: rusqlite::Error| translate(&path, &error);
    let has_suppressions = level(&connection, &path, collection, known())? >= SUPPRESSIONS;
    connection.execute_batch("BEGIN; SELECT commits FROM totals;").map_err(failed)?;
    let log = Log::new(&path);
    let snapshot = Mutex::new(Some(connection));
    thread::scope(|scope| {
        let (done, ended) = mpsc::channel::<()>();
        let (log, held) = (&log, &snapshot);
        scope.spawn(move || watch(log, held, &ended));
        let state = Beside { path: &path, connection: &snapshot };
        let written = copy(&mut Parts { state, has_suppressions }, collection, out);
        drop(done);
        written
    })
}

/// Ends a snapshot that keeps the service from writing: its log cannot start again as long as
/// an old state is being read, and nobody reads what this process writes, or not fast enough.
fn watch(log: &Log, snapshot: &Mutex<Option<Connection>>, ended: &mpsc::Receiver<()>) {
    let mut blocked = 0;
    while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(Duration::from_secs(1)) {
        blocked = if log.file_bytes() < LARGEST { 0 } else { blocked + 1 };
        if blocked >= MAX_BLOCKED_SECONDS {
            lock(snapshot).take();
            return;
        }
    }
}

/// Only damage keeps a store from being backed up.
fn damage(check: Result<(), StoreError>) -> Result<(), StoreError> {
    check.or_else(|error| match error {
        StoreError::Damaged { .. } => Err(error),
        _ => Ok(()),
    })
}

fn read_deliveries(
    connection: &Connection,
    after: Option<ObjectId>,
) -> rusqlite::Result<Vec<(ObjectId, Option<Delivery>)>> {
    let sql =
        format!("SELECT v.id, {COLUMNS} FROM deliveries v WHERE v.id > ?1 ORDER BY v.id LIMIT ?2");
    let mut select = connection.prepare_cached(&sql)?;
    let found = select.query_map(params![after_bytes(after.as_ref()), rows(PART_ROWS)], |row| {
        Ok((row.get(0)?, delivery(row, 1)?))
    })?;
    found.collect()
}

/// Puts a backup in the place of what a folder has, which the caller has locked. Without
/// `replace` it is an error if it has data. What was there stays if this fails or is cut off.
/// Mails that were sent since the backup stay sent.
pub fn restore(
    folder: &Path,
    settings: &Settings,
    reader: &mut dyn BufRead,
    replace: bool,
) -> Result<BackupSummary, BackupError> {
    let path = folder.join(FILE);
    if path.exists() && !replace {
        return Err(BackupError::Exists(folder.into()));
    }
    let mut lines = backup::Reader::new(reader, Some(settings.collection))?;
    let new = path.with_extension(RESTORING);
    remove_database(&new)?;
    // What cannot be read of it is no reason to keep a backup from being restored.
    let former = connect(&path, Use::Scan).ok();
    let built = build(&new, settings, &mut lines, former).and_then(|summary| {
        put_in_place(&new, &path)?;
        Ok(summary)
    });
    if built.is_err() {
        let _ = remove_database(&new);
    }
    built
}

/// Makes a whole database from a backup. It is on the disk when this returns.
fn build(
    path: &Path,
    settings: &Settings,
    lines: &mut backup::Reader<'_>,
    former: Option<Connection>,
) -> Result<BackupSummary, BackupError> {
    create(path)?;
    let mut connection = connect(path, Use::Writer)?;
    prepare(&mut connection, path, settings.collection, MIGRATIONS)?;
    let summary = Restorer::new(connection, path, settings, former)?.restore(lines)?;
    let connection = connect(path, Use::Writer)?;
    // One file that is whole by itself, so that a rename puts all of it in its place.
    connection
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;")
        .map_err(|error| translate(path, &error))?;
    drop(connection);
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| StoreError::io(path, &error))?;
    Ok(summary)
}

/// Puts a database that is whole in the place of another, which stays if this fails.
fn put_in_place(new: &Path, path: &Path) -> Result<(), StoreError> {
    empty_log(path)?;
    let place = || -> io::Result<()> {
        for side in sides(path) {
            remove(&side)?;
        }
        fs::rename(new, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    place().map_err(|error| StoreError::io(path, &error))
}

/// Moves the log of a database that is to be replaced to its file: the log must not be taken for
/// one of the new database, and without it the old one would lack its last writes.
fn empty_log(path: &Path) -> Result<(), StoreError> {
    if !path.exists() {
        return Ok(());
    }
    let checkpoint = || -> Result<bool, StoreError> {
        let connection = connect(path, Use::Writer)?;
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy = connection.query_row(sql, [], |row| row.get(0));
        is_busy.map_err(|error| translate(path, &error))
    };
    match checkpoint() {
        Ok(true) => Err(StoreError::Locked { path: path.into() }),
        // A damaged one is what a backup is to replace: there is nothing to keep.
        Ok(false) | Err(StoreError::Damaged { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes what a restore that was killed has left beside a database. The caller has locked the
/// folder.
pub(super) fn remove_leftovers(path: &Path) -> Result<(), StoreError> {
    remove_database(&path.with_extension(RESTORING))
}

/// The files that SQLite has beside a database.
fn sides(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|suffix| {
        let mut side = path.as_os_str().to_owned();
        side.push(suffix);
        side.into()
    })
}

fn remove_database(path: &Path) -> Result<(), StoreError> {
    let [wal, shm, journal] = sides(path);
    for file in [path.to_path_buf(), wal, shm, journal] {
        remove(&file).map_err(|error| StoreError::io(path, &error))?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
