//! The folder where a service keeps its data: creates it, locks it against a second process,
//! and tells which process holds it.
//!
//! The lock is the operating system's (`flock`), so it ends with the process however
//! that ends: a held lock means a living service, never a stale file.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::private;

/// The process that holds a data folder, as it describes itself in the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// The address it listens on.
    pub address: SocketAddr,
    /// Its version, as `--version` prints it.
    pub version: String,
    /// When it started, in seconds since 1970.
    pub started: u64,
}

/// A data folder, locked for as long as this value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be made or written.
    #[error(
        "the data folder {path} cannot be written ({source}): make it writable for this user, \
         or choose another with --data"
    )]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds it.
    #[error(
        "the data folder {path} is in use by another process{}: stop that one, or choose another \
         folder with --data",
        holder.as_ref().map(|h| format!(" (pid {}, listening on {})", h.pid, h.address)).unwrap_or_default()
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Who holds it, where it has said so.
        holder: Option<Holder>,
    },
}

pub(crate) const LOCK_FILE: &str = "lock";
/// A glance at the lock by [`DataDir::holder`] takes it for microseconds; a service
/// that starts just then tries again instead of giving up.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

impl DataDir {
    /// Makes the folder where it is missing, for this user only, and locks it.
    pub fn lock(path: &Path) -> Result<Self, DataDirError> {
        let unwritable = |source| DataDirError::Unwritable { path: path.into(), source };
        create(path).map_err(unwritable)?;
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        let lock = private::open(&mut options, &path.join(LOCK_FILE)).map_err(unwritable)?;
        for _ in 0..LOCK_TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path: path.into(), lock }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(source)) => return Err(unwritable(source)),
            }
        }
        Err(DataDirError::Locked { path: path.into(), holder: read_holder(&lock) })
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes who holds the folder into the lock file.
    pub fn describe(&self, holder: &Holder) -> Result<(), DataDirError> {
        let write = |mut file: &File| {
            file.set_len(0)?;
            file.write_all(serde_json::to_string(holder)?.as_bytes())
        };
        write(&self.lock)
            .map_err(|source| DataDirError::Unwritable { path: self.path.clone(), source })
    }

    /// Who holds the folder at `path` now; `None` where nobody does, and an error
    /// where somebody does that has not (yet) said who it is.
    pub fn holder(path: &Path) -> Result<Option<Holder>, DataDirError> {
        let lock = match File::open(path.join(LOCK_FILE)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DataDirError::Unwritable { path: path.into(), source }),
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::Error(source)) => {
                Err(DataDirError::Unwritable { path: path.into(), source })
            }
            Err(TryLockError::WouldBlock) => match read_holder(&lock) {
                Some(holder) => Ok(Some(holder)),
                None => Err(DataDirError::Locked { path: path.into(), holder: None }),
            },
        }
    }
}

/// Makes a data folder where it is missing. One that holds other things than data is left as
/// open as it is; what is made in it is private all the same.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    private::make_dir_all(path)?;
    let is_new = fs::read_dir(path)?.next().is_none();
    if is_new || path.join(LOCK_FILE).exists() { private::create_dir_all(path) } else { Ok(()) }
}

fn read_holder(mut lock: &File) -> Option<Holder> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn holder() -> Holder {
        let address = "127.0.0.1:8000".parse().unwrap();
        Holder { pid: 7, address, version: "1.2.3".into(), started: 1_577_534_295 }
    }

    #[test]
    fn a_second_lock_is_refused_and_names_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let held = DataDir::lock(dir.path()).unwrap();
        held.describe(&holder()).unwrap();
        let error = DataDir::lock(dir.path()).unwrap_err().to_string();
        assert!(error.contains("pid 7, listening on 127.0.0.1:8000"), "{error}");
        assert_eq!(DataDir::holder(dir.path()).unwrap(), Some(holder()));
    }

    #[test]
    fn a_folder_of_an_earlier_version_is_closed_and_a_folder_of_other_things_is_not() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for (found, is_closed) in [(None, true), (Some("lock"), true), (Some("other"), false)] {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
            if let Some(name) = found {
                fs::write(dir.path().join(name), "").unwrap();
            }
            DataDir::lock(dir.path()).unwrap();
            assert_eq!(mode(dir.path()), if is_closed { 0o700 } else { 0o755 }, "{found:?}");
            assert_eq!(mode(&dir.path().join("lock")), 0o600);
        }
    }

    #[test]
    fn a_lock_ends_with_its_holder_though_the_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(DataDir::holder(dir.path()).unwrap(), None);
        let held = DataDir::lock(dir.path()).unwrap();
        held.describe(&holder()).unwrap();
        drop(held);
        assert_eq!(DataDir::holder(dir.path()).unwrap(), None);
        DataDir::lock(dir.path()).unwrap();
    }
}
