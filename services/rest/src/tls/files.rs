//! A certificate in files that somebody else renews.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Notify;

use super::certificate::Certificate;
use super::keys::Keys;
use super::names::HostName;
use super::settings::TlsError;
use super::status::CertificateStatus;
use crate::private;

/// How often it is checked whether the files have changed.
const INTERVAL: Duration = Duration::from_secs(60);

/// The files of a certificate and its key.
#[derive(Debug)]
pub(super) struct CertificateFiles {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// What changes with a file's content; `None` for one that cannot be found.
type Stamp = Option<(i64, i64, u64, u64)>;

/// Files that are read again when they have changed.
#[derive(Debug)]
pub(super) struct WatchedFiles {
    files: CertificateFiles,
    seen: [Stamp; 2],
    names: Vec<HostName>,
}

impl CertificateFiles {
    fn read(&self) -> Result<Certificate, TlsError> {
        let read = |path: &Path| {
            private::read(path)
                .map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
        };
        let (chain, _) = read(&self.certificate)?;
        let (key, is_shared) = read(&self.key)?;
        if is_shared {
            return Err(TlsError::SharedKey { path: self.key.clone() });
        }
        Certificate::parse(&chain, &key).map_err(|error| TlsError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            reason: error.to_string(),
        })
    }

    fn stamps(&self) -> [Stamp; 2] {
        [&self.certificate, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino()))
        })
    }
}

impl WatchedFiles {
    /// Reads the files for the first time. Their certificate should be for all of these names.
    pub(super) fn load(
        files: CertificateFiles,
        names: Vec<HostName>,
    ) -> Result<(Self, Certificate), TlsError> {
        // Before they are read: what is written meanwhile is noticed at the next check.
        let seen = files.stamps();
        let certificate = files.read()?;
        Ok((Self { files, seen, names }, certificate))
    }

    /// Uses the files' certificate, for as long as the service runs. `reload` has them read at once.
    pub(super) async fn watch(&mut self, keys: &Keys, status: &CertificateStatus, reload: &Notify) {
        loop {
            let is_asked = tokio::time::timeout(INTERVAL, reload.notified()).await.is_ok();
            match self.check(is_asked) {
                Some(Ok(certificate)) => {
                    tracing::info!(expires = %certificate.not_after, "reloaded the certificate");
                    self.put_to_use(certificate, keys, status);
                }
                Some(Err(error)) => {
                    tracing::error!(
                        %error, "cannot reload the certificate; the previous one stays in use"
                    );
                    status.set_problem(error.to_string());
                }
                None => {}
            }
        }
    }

    /// Has handshakes use the certificate, and says for which names clients will refuse it.
    pub(super) fn put_to_use(
        &self,
        certificate: Certificate,
        keys: &Keys,
        status: &CertificateStatus,
    ) {
        status.set_expiry(certificate.not_after);
        for name in self.names.iter().filter(|name| !certificate.covers(name)) {
            tracing::warn!(%name, "the certificate is not for this name of TLS_NAMES");
            status.set_problem(format!("the certificate is not for {name}"));
        }
        keys.set(certificate.key);
    }

    /// Reads the files again if they have changed, or if that is asked for.
    fn check(&mut self, is_asked: bool) -> Option<Result<Certificate, TlsError>> {
        let stamps = self.files.stamps();
        if !is_asked && stamps == self.seen {
            return None;
        }
        self.seen = stamps;
        Some(self.files.read())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::super::test_certificates::{KEY, OTHER_KEY, certificate};
    use super::*;

    #[test]
    fn files_are_read_again_when_they_have_changed_and_the_key_must_be_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name| dir.path().join(name);
        let files = || CertificateFiles { certificate: path("c.pem"), key: path("k.pem") };
        let set_mode = |mode| {
            fs::set_permissions(path("k.pem"), Permissions::from_mode(mode)).unwrap();
        };
        let said = |result: Result<Certificate, TlsError>| result.unwrap_err().to_string();
        assert!(said(files().read()).contains("c.pem cannot be read"));
        fs::write(path("c.pem"), certificate(KEY, &["a.test"])).unwrap();
        fs::write(path("k.pem"), KEY).unwrap();
        set_mode(0o644);
        assert!(said(files().read()).contains("chmod 600"));
        set_mode(0o600);
        let (mut watched, _) = WatchedFiles::load(files(), vec![]).unwrap();
        assert!(watched.check(false).is_none());
        assert!(watched.check(true).unwrap().is_ok());
        // Whoever renews a certificate writes one file after the other.
        fs::write(path("c.pem"), certificate(OTHER_KEY, &["a.test", "b.test"])).unwrap();
        assert!(said(watched.check(false).unwrap()).contains("do not belong together"));
        assert!(watched.check(false).is_none());
        fs::write(path("k.pem"), OTHER_KEY).unwrap();
        assert!(watched.check(false).unwrap().is_ok());
        fs::remove_file(path("k.pem")).unwrap();
        assert!(said(watched.check(false).unwrap()).contains("k.pem cannot be read"));
    }
}
