//! When the authority may be asked again. Authorities lock out for a week those who ask too
//! often, so what was asked is on the disk before it is asked, and survives restarts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::replace_file;

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;
/// The wait after a failure, which doubles with each that follows it. This makes three in the
/// first hour, where Let's Encrypt allows five.
const FIRST_WAIT: i64 = 15 * MINUTE;
const LONGEST_WAIT: i64 = DAY / 2;
/// So many certificates are asked for in so many seconds. Let's Encrypt allows five.
const ISSUED: usize = 3;
const ISSUED_WITHIN: i64 = 7 * DAY;

/// What was asked of the authority, in seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attempts {
    /// Attempts that failed since the last that did not. One that is under way counts.
    failures: u32,
    last: Option<i64>,
    /// Until when the authority wants to be left alone.
    wait_until: Option<i64>,
    /// Why the last attempt failed.
    pub(super) problem: Option<String>,
    /// When the last certificates were issued.
    issued: Vec<i64>,
    /// Whom all of this was asked of, and for which names.
    directory: String,
    names: Vec<String>,
    /// The directory of the authority that issued the certificate in use.
    pub(super) issuer: Option<String>,
    /// An order that may still lead to a certificate.
    pub(super) pending: Option<Pending>,
}

/// An order that the authority knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) directory: String,
    pub(super) names: Vec<String>,
    /// The URL of the order.
    pub(super) order: String,
    /// The key that the certificate is for, in PEM.
    pub(super) key: String,
}

impl Attempts {
    /// When the next attempt may begin.
    pub(super) fn earliest(&self, now: i64) -> i64 {
        let mut earliest = now;
        if let (Some(last), 1..) = (self.last, self.failures) {
            let doublings = (self.failures - 1).min(10);
            let wait = (FIRST_WAIT << doublings).min(LONGEST_WAIT);
            // A clock that was wrong must not make it wait for longer.
            earliest = earliest.max(last.min(now) + wait);
        }
        if let Some(until) = self.wait_until {
            earliest = earliest.max(until.min(now + ISSUED_WITHIN));
        }
        if let Some(first) = self.issued.len().checked_sub(ISSUED) {
            earliest = earliest.max(self.issued[first].min(now) + ISSUED_WITHIN);
        }
        earliest
    }

    fn begin(&mut self, now: i64) {
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
        self.wait_until = None;
    }

    /// Forgets what was asked of another authority, and failures with other names: a typing error
    /// that was corrected must not be waited for.
    fn restrict(&mut self, directory: &str, names: &[String]) {
        if self.directory != directory {
            self.issued.clear();
        }
        if self.directory != directory || self.names != names {
            self.failures = 0;
            self.wait_until = None;
            self.problem = None;
            directory.clone_into(&mut self.directory);
            names.clone_into(&mut self.names);
        }
    }

    fn succeed(&mut self, now: i64) {
        self.issuer = Some(self.directory.clone());
        self.failures = 0;
        self.wait_until = None;
        self.problem = None;
        self.pending = None;
        self.issued.push(now);
        let surplus = self.issued.len().saturating_sub(ISSUED);
        self.issued.drain(..surplus);
    }
}

/// The attempts, as a file has them.
#[derive(Debug)]
pub(super) struct AttemptsFile {
    path: PathBuf,
    attempts: Attempts,
}

impl AttemptsFile {
    /// Reads the file. If it is damaged, nobody knows what was asked: the wait starts over.
    pub(super) fn open(path: &Path, now: i64) -> io::Result<Self> {
        let attempts = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                let path = path.display();
                tracing::warn!(%path, %error, "cannot read when certificates were asked for");
                Attempts { failures: 1, last: Some(now), ..Attempts::default() }
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Attempts::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { path: path.into(), attempts })
    }

    /// What follows is asked of this authority, for these names.
    pub(super) fn restrict(&mut self, directory: &str, names: &[String]) {
        // It is written with the next attempt.
        self.attempts.restrict(directory, names);
    }

    /// What was asked so far.
    pub(super) fn get(&self) -> &Attempts {
        &self.attempts
    }

    /// Counts an attempt that begins as failed, until it succeeds.
    pub(super) fn begin(&mut self, now: i64) -> io::Result<()> {
        self.change(|attempts| attempts.begin(now))
    }

    /// The attempt has led to a certificate.
    pub(super) fn succeed(&mut self, now: i64) -> io::Result<()> {
        self.change(|attempts| attempts.succeed(now))
    }

    /// The attempt has failed for good.
    pub(super) fn fail(&mut self, problem: String) -> io::Result<()> {
        self.change(|attempts| attempts.problem = Some(problem))
    }

    /// The authority asks for a pause.
    pub(super) fn wait_until(&mut self, until: i64) -> io::Result<()> {
        self.change(|attempts| attempts.wait_until = Some(until))
    }

    /// Remembers an order, or forgets the last one.
    pub(super) fn set_pending(&mut self, pending: Option<Pending>) -> io::Result<()> {
        if self.attempts.pending == pending {
            return Ok(());
        }
        self.change(|attempts| attempts.pending = pending)
    }

    /// Changes the file, durably. What could not be written holds for this process alone.
    fn change(&mut self, change: impl FnOnce(&mut Attempts)) -> io::Result<()> {
        change(&mut self.attempts);
        replace_file(&self.path, 0o600, serde_json::to_vec(&self.attempts)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn failures_are_further_and_further_apart() {
        let mut attempts = Attempts::default();
        let (mut now, mut times) = (NOW, Vec::new());
        for _ in 0..9 {
            assert_eq!(attempts.earliest(now), now);
            attempts.begin(now);
            times.push((now - NOW) / MINUTE);
            now = attempts.earliest(now);
        }
        assert_eq!(times, [0, 15, 45, 105, 225, 465, 945, 1665, 2385]);
        attempts.succeed(now);
        assert_eq!(attempts.earliest(now), now);
    }

    #[test]
    fn three_certificates_a_week_are_enough() {
        let mut attempts = Attempts::default();
        let hour = |n: i64| NOW + n * 60 * MINUTE;
        for n in 0..3 {
            assert_eq!(attempts.earliest(hour(n)), hour(n));
            attempts.begin(hour(n));
            attempts.succeed(hour(n));
        }
        assert_eq!(attempts.earliest(hour(3)), NOW + ISSUED_WITHIN);
        attempts.succeed(NOW + ISSUED_WITHIN);
        assert_eq!(attempts.earliest(hour(200)), hour(1) + ISSUED_WITHIN.max(199 * 60 * MINUTE));
    }

    #[test]
    fn a_clock_that_was_wrong_delays_nothing_for_years() {
        let mut attempts = Attempts::default();
        attempts.begin(NOW + 400 * DAY);
        attempts.wait_until = Some(NOW + 400 * DAY);
        assert_eq!(attempts.earliest(NOW), NOW + ISSUED_WITHIN);
        attempts.begin(NOW + 400 * DAY);
        assert_eq!(attempts.earliest(NOW), NOW + 2 * FIRST_WAIT);
    }

    #[test]
    fn another_authority_or_another_name_is_asked_at_once() {
        let mut attempts = Attempts::default();
        let (first, second) = (["a.tset".to_owned()], ["a.test".to_owned()]);
        attempts.restrict("https://ca.test/", &first);
        attempts.begin(NOW);
        assert!(attempts.earliest(NOW) > NOW);
        attempts.restrict("https://ca.test/", &second);
        assert_eq!(attempts.earliest(NOW), NOW);
        (0..3).for_each(|_| attempts.succeed(NOW));
        assert!(attempts.earliest(NOW) > NOW);
        attempts.restrict("https://ca.test/", &first);
        assert!(attempts.earliest(NOW) > NOW, "it would be one more of the same authority");
        attempts.restrict("https://other.test/", &second);
        assert_eq!(attempts.earliest(NOW), NOW);
        assert_eq!(attempts.issuer.as_deref(), Some("https://ca.test/"));
    }

    #[test]
    fn what_was_asked_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attempts.json");
        let mut file = AttemptsFile::open(&path, NOW).unwrap();
        let pending = Pending {
            directory: "https://ca.test/".into(),
            names: vec!["a.test".into()],
            order: "https://ca.test/1".into(),
            key: "key".into(),
        };
        file.begin(NOW).unwrap();
        file.set_pending(Some(pending)).unwrap();
        let again = AttemptsFile::open(&path, NOW).unwrap();
        assert_eq!(again.get(), file.get());
        assert_eq!(again.get().earliest(NOW), NOW + FIRST_WAIT);
        fs::write(&path, "{").unwrap();
        let damaged = AttemptsFile::open(&path, NOW + 5).unwrap();
        assert_eq!(damaged.get().earliest(NOW + 5), NOW + 5 + FIRST_WAIT);
    }
}
