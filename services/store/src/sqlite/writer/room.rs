//! Limits, free space on the disk, and the space that is kept for removals on a full disk.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::super::shared::Shared;
use crate::StoreError;
use crate::settings::{Growth, Limits};

/// The file that takes up the space for removals. A removal writes to the log before it frees
/// anything, so on a disk without any room it would fail as other writes do.
const SPARE: &str = "spare";
const SPARE_BYTES: u64 = 4 << 20;
/// How often the disk is looked at to take up the space again.
const RETRY: Duration = Duration::from_secs(5);
/// By how much the file's space on the disk grows at once.
const GROWTH: u64 = 1 << 20;

/// Limits and room.
#[derive(Debug)]
pub(super) struct Room {
    limits: Limits,
    database: PathBuf,
    spare: PathBuf,
    has_spare: bool,
    looked: Instant,
    /// Free bytes of the disk, if they matter.
    free: u64,
    /// The database's file, to take space for it. It stays open as long as the connections: when
    /// any descriptor of a file is closed, the process loses its locks on it.
    file: Option<File>,
    /// Bytes of the disk that the file has, as far as they were taken here.
    taken: u64,
    /// Checkpoints when `taken` was noted: they may give up space behind the file's end.
    checkpoints: u64,
}

impl Room {
    pub(super) fn new(database: &Path, limits: Limits) -> Self {
        let mut room = Self {
            limits,
            spare: database.with_file_name(SPARE),
            database: database.into(),
            has_spare: false,
            looked: Instant::now(),
            free: u64::MAX,
            file: File::options().write(true).open(database).ok(),
            taken: 0,
            checkpoints: 0,
        };
        room.take_spare();
        room
    }

    /// Looks at the disk before a commit. `unused` are the bytes of the file that removals have
    /// left: what is stored next takes these.
    pub(super) fn look(&mut self, shared: &Shared, unused: u64) {
        if self.limits.reserve_bytes > 0 {
            let free = free(&self.database).unwrap_or(u64::MAX);
            self.free = free.saturating_add(unused);
        }
        if !self.has_spare && self.looked.elapsed() > RETRY {
            self.take_spare();
            if self.has_spare {
                tracing::info!(file = %shared.path.display(), "there is room on the disk again");
            }
        }
    }

    /// Whether a write is within the limits.
    pub(super) fn allow(&self, growth: &Growth) -> Result<(), StoreError> {
        self.limits.allow(growth)?;
        let reserve = self.limits.reserve_bytes;
        if reserve > 0 && growth.is_growth() && self.free < reserve.saturating_add(growth.length) {
            return Err(StoreError::Reserve { path: self.database.clone(), bytes: reserve });
        }
        Ok(())
    }

    /// Takes the space on the disk that a file of `bytes` will need when the log is moved to it.
    /// Otherwise a disk that is full by then would keep the log from ever starting again, and
    /// removals with it. False if there is none.
    pub(super) fn take(&mut self, bytes: u64, checkpoints: u64) -> bool {
        if self.checkpoints != checkpoints {
            (self.taken, self.checkpoints) = (0, checkpoints);
        }
        let Some(file) = self.file.as_ref().filter(|_| bytes > self.taken) else { return true };
        let Ok(length) = file.metadata().map(|file| file.len()) else { return true };
        if bytes <= length {
            return true;
        }
        for wanted in [bytes.next_multiple_of(GROWTH), bytes] {
            let taken = fallocate(file, FallocateFlags::KEEP_SIZE, length, wanted - length);
            match taken {
                Ok(()) => {
                    self.taken = wanted;
                    return true;
                }
                Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => {}
                // A file system that cannot take space ahead.
                Err(_) => return true,
            }
        }
        false
    }

    /// Gives up the space for removals. False if it was given up already.
    pub(super) fn give_up_spare(&mut self) -> bool {
        let had = std::mem::take(&mut self.has_spare);
        self.looked = Instant::now();
        had && fs::remove_file(&self.spare).is_ok()
    }

    /// Takes up the space for removals, if that leaves room.
    fn take_spare(&mut self) {
        self.looked = Instant::now();
        if fs::metadata(&self.spare).is_ok_and(|file| file.len() == SPARE_BYTES) {
            self.has_spare = true;
            // Something may have opened it to others.
            let _ = fs::set_permissions(&self.spare, Permissions::from_mode(0o600));
            return;
        }
        let _ = fs::remove_file(&self.spare);
        if free(&self.database).is_none_or(|free| free < 4 * SPARE_BYTES) {
            return;
        }
        let allocated = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.spare)
            .and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, SPARE_BYTES)?));
        self.has_spare = allocated.is_ok();
        if !self.has_spare {
            // A file system that cannot reserve space keeps none.
            let _ = fs::remove_file(&self.spare);
        }
    }
}

/// Gives up the space for removals in a folder that no store has open. False if there is none.
pub(in super::super) fn give_up_spare_in(folder: &Path) -> bool {
    fs::remove_file(folder.join(SPARE)).is_ok()
}

/// Bytes that this user can still write to the disk of a file.
fn free(path: &Path) -> Option<u64> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
