//! Decides whether writes are accepted. They can be refused for a while from outside the
//! process: a file in the data folder says until when, and SIGHUP makes the service read it
//! again. The refusal ends by itself, so that a process that asked for it and died does not
//! leave behind a service that accepts no writes.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::file::replace_file;

/// Holds until when, in milliseconds since 1970.
const FILE: &str = "read-only";

/// Lets writes through, or not.
#[derive(Debug, Default)]
pub struct Writes {
    /// Until when they are refused, in milliseconds since 1970.
    refused_until: AtomicU64,
    at_work: AtomicUsize,
}

/// A write that was let through, until it is dropped.
#[derive(Debug)]
pub struct Permit<'a>(&'a Writes);

impl Writes {
    /// Refuses them or not, as the file in the data folder says.
    pub fn obey(&self, folder: &Path) -> io::Result<()> {
        let text = match fs::read_to_string(folder.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => "0".into(),
            Err(error) => return Err(error),
        };
        let until = text
            .trim()
            .parse()
            .map_err(|_| io::Error::other(format!("{FILE} holds `{}` and no time", text.trim())))?;
        self.refused_until.store(until, Ordering::SeqCst);
        Ok(())
    }

    /// Lets a write through unless writes are refused. So does other work that must not
    /// be done twice: elsewhere, with a copy of the data, and here.
    pub fn begin(&self) -> Option<Permit<'_>> {
        // First counted and then looked: who refuses them first says so and then counts,
        // and one of both sees the other.
        self.at_work.fetch_add(1, Ordering::SeqCst);
        let permit = Permit(self);
        if self.refused() { None } else { Some(permit) }
    }

    /// Whether none is let through, and none that was is still at work.
    pub(crate) fn have_ended(&self) -> bool {
        self.refused() && self.at_work.load(Ordering::SeqCst) == 0
    }

    fn refused(&self) -> bool {
        match self.refused_until.load(Ordering::SeqCst) {
            0 => false,
            until => now() < until,
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Writes down that writes are refused for so long from now on, or not at all.
pub fn refuse(folder: &Path, time: Option<Duration>) -> io::Result<()> {
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
    fn writes_are_refused_until_it_is_over_or_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let writes = Writes::default();
        writes.obey(dir.path()).unwrap();
        let permit = writes.begin();
        assert!(permit.is_some() && !writes.have_ended());

        refuse(dir.path(), Some(Duration::from_secs(60))).unwrap();
        writes.obey(dir.path()).unwrap();
        assert!(writes.begin().is_none());
        assert!(!writes.have_ended(), "one is at work");
        drop(permit);
        assert!(writes.have_ended());

        refuse(dir.path(), None).unwrap();
        writes.obey(dir.path()).unwrap();
        assert!(writes.begin().is_some());

        refuse(dir.path(), Some(Duration::ZERO)).unwrap();
        writes.obey(dir.path()).unwrap();
        assert!(writes.begin().is_some(), "its time is over");
    }

    #[test]
    fn a_file_that_holds_no_time_is_an_error_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let writes = Writes::default();
        fs::write(dir.path().join(FILE), "soon").unwrap();
        assert!(writes.obey(dir.path()).unwrap_err().to_string().contains("`soon`"));
        assert!(writes.begin().is_some());
    }
}
