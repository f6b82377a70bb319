//! A stack's lease: the right to change it, held by one command at a time, whichever machine
//! that runs on.
//!
//! EC2 has no locks, but no two key pairs can have the same name: of several callers that
//! create one, only one succeeds. So the lease is a key pair, whose private half nobody has.
//! Its tags name its owner and its expiry. It is deleted by its id, so that a caller that
//! deletes an expired lease never deletes the one that came after it.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{KeyPairInfo, ResourceType};
use ssh::Identity;
use support::lease::Lease;

use super::tags::{self, tag};
use super::{AccountError, Ec2, Ec2Error};

impl Ec2 {
    /// Takes the stack's lease, and returns the id that the account gives it; none where
    /// somebody else has it.
    pub async fn take_lease(
        &self,
        stack: &str,
        lease: &Lease,
    ) -> Result<Option<String>, AccountError> {
        let key = Identity::fresh();
        let key = key.map_err(|e| Ec2Error::new("ImportKeyPair", &self.region, e.to_string()))?;
        let tags = vec![
            tag(tags::STACK, stack),
            tag(tags::LEASE, stack),
            tag(tags::LEASE_OWNER, &lease.owner),
            tag(tags::LEASE_PURPOSE, &lease.purpose),
            tag(tags::LEASE_SINCE, &lease.since.to_string()),
            tag(tags::LEASE_UNTIL, &lease.until.to_string()),
        ];
        let imported = self
            .client
            .import_key_pair()
            .key_name(name(stack))
            .public_key_material(Blob::new(key.public()))
            .tag_specifications(tags::on(ResourceType::KeyPair, tags))
            .send()
            .await;
        match imported.map_err(|e| self.failed("ImportKeyPair", &e)) {
            Ok(made) => Ok(made.key_pair_id),
            Err(error) if error.is(&["InvalidKeyPair.Duplicate"]) => {
                let Some(pair) = self.key_pair(&name(stack)).await? else { return Ok(None) };
                if !is_lease(&pair, stack) {
                    let id = pair.key_pair_id.unwrap_or_default();
                    let (region, name) = (self.region.clone(), name(stack));
                    return Err(AccountError::ForeignLease { region, id, name });
                }
                // It may be our own, where the answer to the first try was lost.
                let found = read(&pair).filter(|found| found.is_of(lease));
                Ok(found.map(|found| found.id))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Who has the stack's lease.
    pub async fn lease(&self, stack: &str) -> Result<Option<Lease>, Ec2Error> {
        let found = self.key_pair(&name(stack)).await?;
        Ok(found.filter(|pair| is_lease(pair, stack)).as_ref().and_then(read))
    }

    /// Has a lease hold until then.
    pub async fn renew_lease(&self, id: &str, until: u64) -> Result<(), Ec2Error> {
        self.set_tag(id, tag(tags::LEASE_UNTIL, &until.to_string())).await
    }

    /// Gives the lease back, or takes it from whoever has it. One that is gone is no error.
    pub async fn end_lease(&self, id: &str) -> Result<(), Ec2Error> {
        let deleted = self.client.delete_key_pair().key_pair_id(id).send().await;
        deleted.map(drop).map_err(|e| self.failed("DeleteKeyPair", &e))
    }
}

fn name(stack: &str) -> String {
    format!("eventpost-lease-{stack}")
}

/// Whether a key pair of the lease's name is the lease.
fn is_lease(pair: &KeyPairInfo, stack: &str) -> bool {
    tags::are_of(pair.tags(), stack) && tags::value(pair.tags(), tags::LEASE) == Some(stack)
}

fn read(pair: &KeyPairInfo) -> Option<Lease> {
    let value = |key| tags::value(pair.tags(), key).unwrap_or_default();
    Some(Lease {
        id: pair.key_pair_id()?.into(),
        owner: value(tags::LEASE_OWNER).into(),
        purpose: value(tags::LEASE_PURPOSE).into(),
        since: value(tags::LEASE_SINCE).parse().unwrap_or_default(),
        until: value(tags::LEASE_UNTIL).parse().unwrap_or_default(),
    })
}
