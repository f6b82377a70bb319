//! A certificate with its key, as it is given to clients.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use x509_cert::der::Decode;
use x509_cert::time::Time;

use super::names::HostName;

/// A certificate with its key.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    #[error("the certificate is not in PEM: {0}")]
    NoChain(rustls::pki_types::pem::Error),
    #[error("there is no certificate in it")]
    Empty,
    #[error("the key is not in PEM: {0}")]
    NoKey(rustls::pki_types::pem::Error),
    #[error("they do not belong together, or are of a kind that is not supported: {0}")]
    Pair(rustls::Error),
    #[error("the certificate is damaged: {0}")]
    Damaged(x509_cert::der::Error),
    #[error("the certificate has a date that is out of range")]
    Date,
}

impl Certificate {
    /// Reads a certificate, with those between it and its authority's, and its key. Both may be
    /// in the same text.
    pub(super) fn parse(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(CertificateError::NoChain)?;
        let first = chain.first().ok_or(CertificateError::Empty)?;
        let parsed = x509_cert::Certificate::from_der(first).map_err(CertificateError::Damaged)?;
        let validity = parsed.tbs_certificate.validity;
        let (not_before, not_after) = (time(validity.not_before)?, time(validity.not_after)?);
        let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
        Ok(Self { key: Arc::new(key.map_err(CertificateError::Pair)?), not_before, not_after })
    }

    /// Whether it is for a name.
    pub(super) fn covers(&self, name: &HostName) -> bool {
        let Ok(name) = ServerName::try_from(name.as_str()) else { return false };
        let certificate = self.key.end_entity_cert();
        let certificate = certificate.and_then(ParsedCertificate::try_from);
        certificate.is_ok_and(|it| verify_server_name(&it, &name).is_ok())
    }

    /// When it is to be renewed: with a third of its life left.
    pub(super) fn renewal(&self) -> Timestamp {
        let life = self.not_after.duration_since(self.not_before);
        let third = SignedDuration::from_secs(life.as_secs() / 3);
        self.not_after.checked_sub(third).unwrap_or(self.not_after)
    }
}

fn time(time: Time) -> Result<Timestamp, CertificateError> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs());
    let time = seconds.ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.ok_or(CertificateError::Date)
}

#[cfg(test)]
mod tests {
    use super::super::test_certificates::{KEY, OTHER_KEY, certificate};
    use super::*;

    #[test]
    fn a_certificate_is_read_with_its_dates_and_names() {
        let pem = certificate(KEY, &["a.test", "b.test"]);
        let parsed = Certificate::parse(pem.as_bytes(), KEY.as_bytes()).unwrap();
        let dates =
            [parsed.not_before, parsed.renewal(), parsed.not_after].map(|it| it.to_string());
        assert_eq!(dates, ["2026-01-01T00:00:00Z", "2026-03-02T00:00:00Z", "2026-04-01T00:00:00Z"]);
        let covers = |name| parsed.covers(&HostName::parse(name).unwrap());
        assert_eq!(
            ["a.test", "b.test", "c.test", "x.a.test"].map(covers),
            [true, true, false, false]
        );
        // As a service stores them.
        let both = format!("{KEY}{pem}");
        assert!(Certificate::parse(both.as_bytes(), both.as_bytes()).is_ok());
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let pem = certificate(KEY, &["a.test"]);
        for (chain, key, problem) in [
            ("", KEY, "no certificate"),
            (KEY, KEY, "no certificate"),
            (&pem[..pem.len() / 2], KEY, "not in PEM"),
            (&pem, "", "key is not in PEM"),
            (&pem, OTHER_KEY, "do not belong together"),
        ] {
            let error = Certificate::parse(chain.as_bytes(), key.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(problem), "{problem}: {error}");
        }
    }
}
