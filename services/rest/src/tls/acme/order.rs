//! One order of a certificate, from the account to the certificate.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, ChallengeStatus, ChallengeType, Identifier,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use super::attempts::Pending;
use super::error::{AcmeError, words};
use super::{Acme, account};
use crate::tls::names::HostName;

/// How the authority is asked whether it has checked the names, or issued the certificate.
const POLL: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_secs(1))
    .backoff(1.5)
    .timeout(Duration::from_secs(240));

impl Acme {
    /// Has a certificate issued. Returns it, with those that follow it and its key, in PEM.
    pub(super) async fn order(&mut self) -> Result<String, AcmeError> {
        match self.try_order().await {
            Err(error) if error.is_unknown_account() => {
                tracing::warn!(%error, "making a new account with the authority");
                account::forget(&self.account_path())?;
                self.set_pending(None)?;
                self.try_order().await
            }
            result => result,
        }
    }

    async fn try_order(&mut self) -> Result<String, AcmeError> {
        let account = account::account(&self.account_path(), &self.authority).await?;
        let (mut order, key) = match self.resume(&account).await? {
            Some(resumed) => resumed,
            None => self.begin(&account).await?,
        };
        if order.state().status == OrderStatus::Pending {
            self.prove(&mut order).await?;
        }
        if order.state().status == OrderStatus::Ready {
            order.finalize_csr(&self.request(&key)?).await?;
        }
        let chain = order.poll_certificate(&POLL).await?;
        Ok(format!("{}{chain}", key.serialize_pem()))
    }

    /// The order that was begun before, if it can still lead to a certificate.
    async fn resume(&mut self, account: &Account) -> Result<Option<(Order, KeyPair)>, AcmeError> {
        let Some(pending) = self.attempts.get().pending.clone() else { return Ok(None) };
        let is_same = pending.directory == self.authority.directory.to_string()
            && pending.names == self.names();
        let key = KeyPair::from_pem(&pending.key).ok();
        if let (true, Some(key)) = (is_same, key) {
            match account.order(pending.order).await.map_err(AcmeError::from) {
                Ok(mut order) => {
                    if order.state().status != OrderStatus::Invalid {
                        tracing::info!("taking up the order of a certificate again");
                        return Ok(Some((order, key)));
                    }
                }
                // The authority has forgotten the order. Without the account, it knows none.
                Err(error) if error.is_forgotten() => {}
                Err(error) => return Err(error),
            }
        }
        self.set_pending(None)?;
        Ok(None)
    }

    async fn begin(&mut self, account: &Account) -> Result<(Order, KeyPair), AcmeError> {
        let key = KeyPair::generate()?;
        let names: Vec<_> = self.names().into_iter().map(Identifier::Dns).collect();
        let order = account.new_order(&NewOrder::new(&names)).await?;
        self.set_pending(Some(Pending {
            directory: self.authority.directory.to_string(),
            names: self.names(),
            order: order.url().into(),
            key: key.serialize_pem(),
        }))?;
        Ok((order, key))
    }

    /// Proves to the authority that the names are this service's.
    async fn prove(&self, order: &mut Order) -> Result<(), AcmeError> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            self.answer(authorization?).await?;
        }
        match order.poll_ready(&POLL).await {
            Ok(OrderStatus::Ready) => Ok(()),
            // Some authorities put the reason into the order, and all into the authorizations.
            Ok(_) | Err(instant_acme::Error::Api(_)) => Err(reasons(order).await),
            Err(error) => Err(error.into()),
        }
    }

    /// Answers the challenge for one name.
    async fn answer(&self, mut authorization: AuthorizationHandle<'_>) -> Result<(), AcmeError> {
        if authorization.status != AuthorizationStatus::Pending {
            return Ok(());
        }
        let name = authorization.identifier().to_string();
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err(AcmeError::NoChallenge(name));
        };
        let host = HostName::parse(&name).map_err(AcmeError::Protocol)?;
        let digest = challenge.key_authorization().digest();
        self.keys.answer(&host, challenge_certificate(name, digest.as_ref())?);
        // It may have been told by a process before this one.
        if challenge.status == ChallengeStatus::Pending {
            challenge.set_ready().await?;
        }
        Ok(())
    }

    /// The request to sign a certificate for the key.
    fn request(&self, key: &KeyPair) -> Result<Vec<u8>, AcmeError> {
        let mut params = CertificateParams::new(self.names())?;
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(key)?.der().to_vec())
    }
}

/// What an authority wants to see at a name (RFC 8737): a certificate that holds the digest.
fn challenge_certificate(name: String, digest: &[u8]) -> Result<Arc<CertifiedKey>, AcmeError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![name])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let chain = vec![params.self_signed(&key)?.der().clone()];
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = any_supported_type(&key).map_err(|error| AcmeError::Protocol(error.to_string()))?;
    // Not checked against each other, since rustls refuses to read what this certificate holds.
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

/// Why an authority could not check the names, in its own words.
async fn reasons(order: &mut Order) -> AcmeError {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let problems = authorization.challenges.iter().filter_map(|it| it.error.as_ref());
        reasons.extend(problems.map(|problem| format!("{name}: {}", words(problem))));
    }
    if reasons.is_empty() {
        reasons.push("the names, and did not say why".into());
    }
    AcmeError::Invalid(reasons)
}
