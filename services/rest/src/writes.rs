//! Decides whether writes are accepted. A service becomes read-only for a while from outside
//! its process: a file in the data folder holds until when, and SIGHUP makes the service read
//! it again. It becomes writable again by itself, even if the process that made it read-only
//! has died.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::file::replace_file;

/// Holds until when the service is read-only, in milliseconds since 1970.
const FILE: &str = "read-only";

/// Accepts writes or refuses them, and counts those in progress.
#[derive(Debug, Default)]
pub struct WriteGate {
    /// Until when writes are refused, in milliseconds since 1970.
    read_only_until: AtomicU64,
    in_progress: AtomicUsize,
}

/// A write that was accepted; it is in progress until this is dropped.
#[derive(Debug)]
pub struct WritePermit<'a>(&'a WriteGate);

/// As [`WritePermit`], for work that outlives the function that begins it.
#[derive(Debug)]
pub struct OwnedWritePermit(Arc<WriteGate>);

impl WriteGate {
    /// Reads from the file in the data folder until when writes are refused.
    pub fn reload(&self, folder: &Path) -> io::Result<()> {
        let text = match fs::read_to_string(folder.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => "0".into(),
            Err(error) => return Err(error),
        };
        let until = text.trim().parse().map_err(|_| {
            let text = text.trim();
            io::Error::other(format!(
                "`{text}` in the file `{FILE}` is not a time: remove the file"
            ))
        })?;
        self.read_only_until.store(until, Ordering::SeqCst);
        Ok(())
    }

    /// Begins a write, unless writes are refused. Other work that must not be done twice, here
    /// and by a service with a copy of the data, needs a permit too.
    pub fn begin(&self) -> Option<WritePermit<'_>> {
        // Count first, then look: `is_drained` looks first, then counts. Whichever comes second
        // sees the other.
        self.in_progress.fetch_add(1, Ordering::SeqCst);
        let permit = WritePermit(self);
        if self.is_read_only() { None } else { Some(permit) }
    }

    /// As [`Self::begin`], for work that outlives the function that begins it.
    pub fn begin_owned(self: &Arc<Self>) -> Option<OwnedWritePermit> {
        let _begun = self.begin()?;
        self.in_progress.fetch_add(1, Ordering::SeqCst);
        Some(OwnedWritePermit(Arc::clone(self)))
    }

    /// Whether writes are refused, and none is in progress any more.
    pub(crate) fn is_drained(&self) -> bool {
        self.is_read_only() && self.in_progress.load(Ordering::SeqCst) == 0
    }

    /// Whether writes are refused now.
    pub(crate) fn is_read_only(&self) -> bool {
        match self.read_only_until.load(Ordering::SeqCst) {
            0 => false,
            until => now() < until,
        }
    }
}

impl Drop for WritePermit<'_> {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for OwnedWritePermit {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Writes to the file in the data folder for how long the service is to be read-only from now
/// on; `None` makes it writable.
pub fn set_read_only(folder: &Path, time: Option<Duration>) -> io::Result<()> {
    let path = folder.join(FILE);
    let Some(time) = time else {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    let until = now().saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    replace_file(&path, 0o600, format!("{until}\n"))
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_refused_until_the_time_is_over_or_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let writes = Arc::new(WriteGate::default());
        writes.reload(dir.path()).unwrap();
        let (permit, owned) = (writes.begin(), writes.begin_owned());
        assert!(permit.is_some() && !writes.is_drained());

        set_read_only(dir.path(), Some(Duration::from_secs(60))).unwrap();
        writes.reload(dir.path()).unwrap();
        assert!(writes.begin().is_none() && writes.begin_owned().is_none());
        drop(permit);
        assert!(!writes.is_drained(), "one is in progress");
        drop(owned);
        assert!(writes.is_drained());

        set_read_only(dir.path(), None).unwrap();
        writes.reload(dir.path()).unwrap();
        assert!(writes.begin().is_some());

        set_read_only(dir.path(), Some(Duration::ZERO)).unwrap();
        writes.reload(dir.path()).unwrap();
        assert!(writes.begin().is_some(), "the time is over");
    }

    #[test]
    fn a_file_without_a_time_is_an_error_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let writes = WriteGate::default();
        fs::write(dir.path().join(FILE), "soon").unwrap();
        assert!(writes.reload(dir.path()).unwrap_err().to_string().contains("`soon`"));
        assert!(writes.begin().is_some());
    }
}
