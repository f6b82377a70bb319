//! Gives each handshake its certificate.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::names::HostName;
use crate::server::{CHALLENGE_PROTOCOL, HTTP2_PROTOCOL};

/// The certificate in use, and those that prove to an authority who this is.
#[derive(Debug, Default)]
pub(super) struct Keys {
    current: RwLock<Option<Arc<CertifiedKey>>>,
    challenges: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

impl Keys {
    /// Uses this certificate from the next handshake on.
    pub(super) fn set(&self, key: Arc<CertifiedKey>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    /// Answers the challenges of an authority for a name with a certificate.
    pub(super) fn answer(&self, name: &HostName, key: Arc<CertifiedKey>) {
        let mut challenges = self.challenges.write().unwrap_or_else(PoisonError::into_inner);
        challenges.insert(name.as_str().into(), key);
    }

    /// Answers no challenge any more.
    pub(super) fn end_challenges(&self) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn key(&self, name: Option<&str>, is_challenge: bool) -> Option<Arc<CertifiedKey>> {
        if is_challenge {
            let challenges = self.challenges.read().unwrap_or_else(PoisonError::into_inner);
            return challenges.get(&name?.to_ascii_lowercase()).cloned();
        }
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // An authority offers this protocol and no other.
        let mut offered = hello.alpn().into_iter().flatten();
        let is_challenge = offered.next() == Some(CHALLENGE_PROTOCOL) && offered.next().is_none();
        self.key(hello.server_name(), is_challenge)
    }
}

/// How handshakes are done with these keys.
pub(super) fn config(keys: Arc<Keys>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(keys);
    config.alpn_protocols =
        [HTTP2_PROTOCOL, b"http/1.1", CHALLENGE_PROTOCOL].map(<[u8]>::to_vec).into();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::super::certificate::Certificate;
    use super::super::test_certificates::{KEY, certificate};
    use super::*;

    #[test]
    fn challenges_have_certificates_of_their_own() {
        let key = || {
            let pem = certificate(KEY, &["a.test"]);
            Certificate::parse(pem.as_bytes(), KEY.as_bytes()).unwrap().key
        };
        let (current, challenge) = (key(), key());
        let keys = Keys::default();
        assert!(keys.key(Some("a.test"), false).is_none());
        keys.set(Arc::clone(&current));
        keys.answer(&HostName::parse("a.test").unwrap(), Arc::clone(&challenge));
        for name in [None, Some("a.test"), Some("b.test")] {
            assert!(Arc::ptr_eq(&keys.key(name, false).unwrap(), &current));
        }
        assert!(Arc::ptr_eq(&keys.key(Some("A.test"), true).unwrap(), &challenge));
        assert!(keys.key(Some("b.test"), true).is_none() && keys.key(None, true).is_none());
        keys.end_challenges();
        assert!(keys.key(Some("a.test"), true).is_none());
    }
}
