//! Has an authority issue certificates (RFC 8555), which checks each name by TLS-ALPN-01 (RFC
//! 8737), and renews them.
//!
//! ```text
//! order     an order, from the account to the certificate
//! account   the account with the authority
//! error     why no certificate was issued
//! client    HTTP to the authority
//! attempts  when it may be asked again
//! ```

mod account;
mod attempts;
mod client;
mod error;
mod order;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::Certificate;
use super::keys::Keys;
use super::names::HostName;
use super::settings::{AcmeSettings, TlsError};
use super::status::CertificateStatus;
use crate::file::replace_file;
use crate::private;
use crate::writes::WriteGate;
use attempts::{AttemptsFile, Pending};
use client::Client;
use error::AcmeError;

/// How long an order may take in all.
const ORDER_TIMEOUT: Duration = Duration::from_secs(600);
/// The clock is looked at so often: it may be set, and a machine may sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);
/// How often a service that is read-only looks whether it still is.
const READ_ONLY_INTERVAL: Duration = Duration::from_secs(1);
/// The wait until an authority that was not reached is tried again, which doubles each time. It
/// costs the authority nothing.
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LONGEST_RETRY: Duration = Duration::from_secs(900);

const CERTIFICATE_FILE: &str = "certificate.pem";
const ACCOUNT_FILE: &str = "account.json";
const ATTEMPTS_FILE: &str = "attempts.json";

/// An authority, and the names that it is to certify.
pub(super) struct Authority {
    directory: Uri,
    contact: Option<String>,
    names: Vec<HostName>,
    client: Client,
}

impl Authority {
    /// Reads whom to trust.
    pub(super) fn new(settings: AcmeSettings, names: Vec<HostName>) -> Result<Self, TlsError> {
        let AcmeSettings { directory, contact, ca_file } = settings;
        let client = Client::new(match ca_file {
            Some(path) => roots(path)?,
            None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        });
        let client = client.map_err(|error| TlsError::Library(error.to_string()))?;
        Ok(Self { directory, contact, names, client })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authority").field(&self.directory).field(&self.names).finish()
    }
}

/// The certificates in a file.
fn roots(path: PathBuf) -> Result<RootCertStore, TlsError> {
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) => return Err(TlsError::Unreadable { path, source }),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let added = match certificate {
            Ok(certificate) => roots.add(certificate).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = added {
            return Err(TlsError::Authorities { path, reason });
        }
    }
    if roots.is_empty() {
        return Err(TlsError::Authorities { path, reason: "there is none in it".into() });
    }
    Ok(roots)
}

/// Keeps a certificate of an authority current.
pub(super) struct Acme {
    folder: PathBuf,
    authority: Authority,
    keys: Arc<Keys>,
    status: CertificateStatus,
    attempts: AttemptsFile,
    writes: Arc<WriteGate>,
    /// The certificate in use.
    certificate: Option<Certificate>,
}

impl Acme {
    /// Uses the certificate that is in the folder. An expired one is better than none: clients
    /// see what is wrong.
    pub(super) fn open(
        folder: &Path,
        authority: Authority,
        keys: Arc<Keys>,
        status: CertificateStatus,
        writes: Arc<WriteGate>,
    ) -> Result<Self, TlsError> {
        let unwritable = |source| TlsError::Unwritable { path: folder.into(), source };
        private::create_dir_all(folder).map_err(unwritable)?;
        let path = folder.join(ATTEMPTS_FILE);
        let attempts = AttemptsFile::open(&path, Timestamp::now().as_second());
        let mut attempts = attempts.map_err(|source| TlsError::Unreadable { path, source })?;
        let names: Vec<_> = authority.names.iter().map(ToString::to_string).collect();
        attempts.restrict(&authority.directory.to_string(), &names);
        let folder = folder.into();
        let mut acme =
            Self { folder, authority, keys, status, attempts, writes, certificate: None };
        let path = acme.certificate_path();
        match fs::read(&path) {
            Ok(pem) => match Certificate::parse(&pem, &pem) {
                Ok(certificate) => acme.install(certificate, &pem).map_err(unwritable)?,
                Err(error) => {
                    let path = path.display();
                    tracing::warn!(%path, %error, "cannot use the certificate; asking for a new one");
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(TlsError::Unreadable { path, source }),
        }
        Ok(acme)
    }

    /// Renews the certificate for as long as the service runs.
    pub(super) async fn run(mut self) {
        let mut retry = FIRST_RETRY;
        // Why the last attempt failed before anything was asked for.
        let mut obstacle = None;
        loop {
            let now = Timestamp::now().as_second();
            let due = self.due(now);
            let next = due.max(self.attempts.get().earliest(now));
            if let Ok(wait @ 1..) = u64::try_from(next - now) {
                if due <= now {
                    self.show_wait(next, obstacle.as_deref());
                }
                tokio::time::sleep(Duration::from_secs(wait).min(LONGEST_SLEEP)).await;
                continue;
            }
            if self.writes.is_read_only() {
                // The name points to another host, which has the data, or soon does: a check there
                // would fail.
                tokio::time::sleep(READ_ONLY_INTERVAL).await;
                continue;
            }
            match self.attempt().await {
                Ok(()) => (retry, obstacle) = (FIRST_RETRY, None),
                Err(error @ (AcmeError::Unreachable { .. } | AcmeError::File { .. })) => {
                    tracing::error!(%error, "cannot ask for a certificate");
                    self.status.set_problem(error.to_string());
                    obstacle = Some(error.to_string());
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(LONGEST_RETRY);
                }
                Err(error) => {
                    tracing::error!(%error, "no certificate was issued");
                    obstacle = None;
                    if let Err(error) = self.attempts.fail(error.to_string()) {
                        tracing::error!(%error, "cannot write why no certificate was issued");
                    }
                }
            }
        }
    }

    /// Shows why a certificate that is due is asked for later, after a restart, too.
    fn show_wait(&self, next: i64, obstacle: Option<&str>) {
        let next = Timestamp::from_second(next).unwrap_or_default();
        let problem = obstacle.or(self.attempts.get().problem.as_deref()).unwrap_or(
            "a new certificate is due, but too many were issued within a week, or asked for by a \
             process that ended",
        );
        self.status.set_problem(format!("{problem}. The next attempt is at {next}."));
    }

    /// When a new certificate is needed: at once if it is not for each of the names, or is from an
    /// authority that is not asked any more, for tests for example.
    fn due(&self, now: i64) -> i64 {
        let directory = self.authority.directory.to_string();
        if self.attempts.get().issuer.as_ref().is_some_and(|issuer| *issuer != directory) {
            return now;
        }
        let covers = |certificate: &&Certificate| {
            self.authority.names.iter().all(|name| certificate.covers(name))
        };
        self.certificate.as_ref().filter(covers).map_or(now, |it| it.renewal().as_second())
    }

    /// Asks for a certificate once. It is counted before the authority is asked for anything.
    async fn attempt(&mut self) -> Result<(), AcmeError> {
        let directory = &self.authority.directory;
        let reached = self.authority.client.reach(directory).await;
        self.heed_wait()?;
        reached.map_err(|reason| {
            let directory = self.authority.directory.to_string();
            AcmeError::Unreachable { directory, reason }
        })?;
        let path = self.folder.join(ATTEMPTS_FILE);
        let failed = |source| AcmeError::File { path: path.clone(), source };
        self.attempts.begin(Timestamp::now().as_second()).map_err(failed)?;
        tracing::info!(names = ?self.names(), "asking the authority for a certificate");
        let ordered = tokio::time::timeout(ORDER_TIMEOUT, self.order()).await;
        self.keys.end_challenges();
        self.heed_wait()?;
        let pem = ordered.map_err(|_| AcmeError::TimedOut)??;
        let certificate = Certificate::parse(pem.as_bytes(), pem.as_bytes())?;
        tracing::info!(expires = %certificate.not_after, "the authority issued a certificate");
        let path = self.certificate_path();
        let stored = replace_file(&path, 0o600, &pem);
        // In use even if it cannot be stored.
        self.install(certificate, pem.as_bytes()).map_err(failed)?;
        stored.map_err(|source| AcmeError::File { path, source })
    }

    /// Remembers until when the authority wants to be left alone, if it has said so.
    fn heed_wait(&mut self) -> Result<(), AcmeError> {
        let Some(until) = self.authority.client.take_wait() else { return Ok(()) };
        let path = self.folder.join(ATTEMPTS_FILE);
        self.attempts.wait_until(until).map_err(|source| AcmeError::File { path, source })
    }

    /// Uses a certificate from now on.
    fn install(&mut self, certificate: Certificate, pem: &[u8]) -> io::Result<()> {
        self.keys.set(Arc::clone(&certificate.key));
        // A process that ended too early may have left the order behind that this is from. It
        // would lead to the same certificate again.
        let pending = self.attempts.get().pending.as_ref();
        let has = |key: &str| pem.windows(key.len()).any(|part| part == key.as_bytes());
        let written = match pending {
            Some(pending) if has(&pending.key) => {
                self.attempts.succeed(Timestamp::now().as_second())
            }
            _ => Ok(()),
        };
        self.status.set_expiry(certificate.not_after);
        self.certificate = Some(certificate);
        written
    }

    fn set_pending(&mut self, pending: Option<Pending>) -> Result<(), AcmeError> {
        let path = self.folder.join(ATTEMPTS_FILE);
        self.attempts.set_pending(pending).map_err(|source| AcmeError::File { path, source })
    }

    fn names(&self) -> Vec<String> {
        self.authority.names.iter().map(ToString::to_string).collect()
    }

    fn account_path(&self) -> PathBuf {
        self.folder.join(ACCOUNT_FILE)
    }

    fn certificate_path(&self) -> PathBuf {
        self.folder.join(CERTIFICATE_FILE)
    }
}
