//! The folder where a service keeps its data: creates it, locks it against other processes, and
//! reports which process holds it.
//!
//! The lock is the operating system's (`flock`) and ends with the process, however that ends:
//! a lock that is held means a running service, never a stale file.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
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
    /// It cannot be created or written.
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
        /// Who holds it, if it has described itself.
        holder: Option<Holder>,
    },
    /// Its lock file is another user's, who could lock it for ever or name any process in it.
    #[error(
        "{path} belongs to another user (uid {uid}): choose a folder that nobody else can write to \
         with --data"
    )]
    Foreign {
        /// The lock file.
        path: PathBuf,
        /// The user.
        uid: u32,
    },
}

pub(crate) const LOCK_FILE: &str = "lock";
/// [`DataDir::holder`] takes the lock for microseconds; a service that starts at that moment
/// retries instead of giving up.
const LOCK_ATTEMPTS: u32 = 10;
const LOCK_RETRY_DELAY: Duration = Duration::from_millis(20);

impl DataDir {
    /// Locks the folder; creates it, for this user only, if it does not exist.
    pub fn lock(path: &Path) -> Result<Self, DataDirError> {
        let unwritable = |source| DataDirError::Unwritable { path: path.into(), source };
        create(path).map_err(unwritable)?;
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        let file = path.join(LOCK_FILE);
        let lock = private::open(&mut options, &file).map_err(unwritable)?;
        check_owner(&file, &lock)?;
        for _ in 0..LOCK_ATTEMPTS {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path: path.into(), lock }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_RETRY_DELAY),
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

    /// Who holds the folder at `path` now; `None` if nobody does. It is an error if the process
    /// that holds it has not described itself (yet).
    pub fn holder(path: &Path) -> Result<Option<Holder>, DataDirError> {
        let lock = match File::open(path.join(LOCK_FILE)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DataDirError::Unwritable { path: path.into(), source }),
        };
        check_owner(&path.join(LOCK_FILE), &lock)?;
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

/// Creates a data folder if it does not exist. One that holds other files keeps its mode; what
/// is created in it is private all the same.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    private::create_dir_all_keeping_mode(path)?;
    let is_new = fs::read_dir(path)?.next().is_none();
    if is_new || path.join(LOCK_FILE).exists() { private::create_dir_all(path) } else { Ok(()) }
}

/// Fails if a lock file belongs neither to this user nor to whoever owns the folder: root looks
/// after the data of others.
fn check_owner(path: &Path, lock: &File) -> Result<(), DataDirError> {
    let unwritable = |source| DataDirError::Unwritable { path: path.into(), source };
    let uid = lock.metadata().map_err(unwritable)?.uid();
    let folder = path.parent().unwrap_or(Path::new(".")).metadata().map_err(unwritable)?;
    let others_can_write = folder.mode() & 0o022 != 0;
    let is_own = uid == rustix::process::geteuid().as_raw();
    if is_own || (uid == folder.uid() && !others_can_write) {
        return Ok(());
    }
    Err(DataDirError::Foreign { path: path.into(), uid })
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
    fn a_data_folder_becomes_private_and_a_folder_of_other_files_does_not() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for (existing, is_private) in [(None, true), (Some("lock"), true), (Some("other"), false)] {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
            if let Some(name) = existing {
                fs::write(dir.path().join(name), "").unwrap();
            }
            DataDir::lock(dir.path()).unwrap();
            assert_eq!(mode(dir.path()), if is_private { 0o700 } else { 0o755 }, "{existing:?}");
            assert_eq!(mode(&dir.path().join("lock")), 0o600);
        }
    }

    #[test]
    fn a_lock_of_another_user_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(LOCK_FILE);
        fs::write(&file, "{\"pid\": 1}").unwrap();
        if std::os::unix::fs::chown(&file, Some(12345), None).is_err() {
            // Only root can give a file to others.
            return;
        }
        for refused in [DataDir::lock(dir.path()).map(drop), DataDir::holder(dir.path()).map(drop)]
        {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("belongs to another user (uid 12345)"), "{error}");
        }
    }

    #[test]
    fn a_lock_ends_with_its_holder_even_if_the_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(DataDir::holder(dir.path()).unwrap(), None);
        let held = DataDir::lock(dir.path()).unwrap();
        held.describe(&holder()).unwrap();
        drop(held);
        assert_eq!(DataDir::holder(dir.path()).unwrap(), None);
        DataDir::lock(dir.path()).unwrap();
    }
}
