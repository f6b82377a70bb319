//! HTTPS: where certificates come from, and what is done with them.
//!
//! ```text
//! settings     the command line and the environment
//! acme         has an authority issue certificates, and renews them
//! files        certificates that somebody else renews
//! keys         gives each handshake its certificate
//! certificate  a certificate and its key
//! status       what operators see of it
//! redirect     sends clients of plain HTTP to HTTPS
//! names        names of hosts
//! ```

mod acme;
mod certificate;
mod files;
mod keys;
mod names;
mod redirect;
mod settings;
mod status;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::writes::WriteGate;
use acme::{Acme, Authority};
use files::{CertificateFiles, WatchedFiles};
use keys::Keys;
pub(crate) use redirect::Redirect;
use settings::Source;
pub(crate) use settings::{TlsArgs, TlsError, TlsSettings};
pub use status::CertificateStatus;

/// The certificate of a service, and what keeps it current.
#[derive(Debug)]
pub(crate) struct Tls {
    keys: Arc<Keys>,
    status: CertificateStatus,
    reload: Arc<Notify>,
    renewal: Renewal,
}

/// What keeps a certificate current.
#[derive(Debug)]
enum Renewal {
    Files(WatchedFiles),
    Acme(Authority),
}

impl Tls {
    /// Reads the files that the settings name, so that what is wrong with them is said at start.
    pub(crate) fn load(settings: TlsSettings) -> Result<Self, TlsError> {
        let (keys, status) = (Arc::new(Keys::default()), CertificateStatus::default());
        let renewal = match settings.source {
            Source::Files { certificate, key } => {
                let files = CertificateFiles { certificate, key };
                let (watched, certificate) = WatchedFiles::load(files, settings.names)?;
                watched.put_to_use(certificate, &keys, &status);
                Renewal::Files(watched)
            }
            Source::Acme(acme) => Renewal::Acme(Authority::new(acme, settings.names)?),
        };
        Ok(Self { keys, status, reload: Arc::default(), renewal })
    }

    /// What performs the handshakes.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let config = keys::config(Arc::clone(&self.keys));
        Ok(TlsAcceptor::from(Arc::new(
            config.map_err(|error| TlsError::Library(error.to_string()))?,
        )))
    }

    /// What operators see of the certificate; it changes with it.
    pub(crate) fn status(&self) -> CertificateStatus {
        self.status.clone()
    }

    /// Has the files of the certificate read again when it is notified.
    pub(crate) fn reload(&self) -> Arc<Notify> {
        Arc::clone(&self.reload)
    }

    /// Keeps the certificate current from now on. `data` is the data folder of the service, which
    /// asks for no certificate as long as it refuses writes.
    pub(crate) fn start(self, data: &Path, writes: Arc<WriteGate>) -> Result<(), TlsError> {
        let Self { keys, status, reload, renewal } = self;
        match renewal {
            Renewal::Files(mut files) => {
                tokio::spawn(async move { files.watch(&keys, &status, &reload).await });
            }
            Renewal::Acme(authority) => {
                let acme = Acme::open(&data.join("tls"), authority, keys, status, writes)?;
                tokio::spawn(acme.run());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod test_certificates;
