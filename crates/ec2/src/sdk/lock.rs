//! The lock of a stack: the right to change it, held by one command at a time on any machine.
//!
//! EC2 has no locks, but no two key pairs can have the same name: of several callers that
//! create one, only one succeeds. So the lock is a key pair whose private half nobody has. Its
//! tags name its owner and its expiry. It is deleted by its id, so that a caller that deletes
//! an expired lock never deletes the one that came after it.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{KeyPairInfo, ResourceType};
use ssh::Identity;
use support::lock::Lock;

use super::tags::{self, tag};
use super::{AccountError, Ec2, Ec2Error};

impl Ec2 {
    /// Acquires the stack's lock and returns the id that the account gives it, or `None` if
    /// another command holds it.
    pub async fn acquire_lock(
        &self,
        stack: &str,
        lock: &Lock,
    ) -> Result<Option<String>, AccountError> {
        let key = Identity::generate();
        let key = key.map_err(|e| Ec2Error::new("ImportKeyPair", &self.region, e.to_string()))?;
        let tags = vec![
            tag(tags::STACK, stack),
            tag(tags::LOCK, stack),
            tag(tags::LOCK_OWNER, &lock.owner),
            tag(tags::LOCK_PURPOSE, &lock.purpose),
            tag(tags::LOCK_SINCE, &lock.since.to_string()),
            tag(tags::LOCK_EXPIRES, &lock.expires.to_string()),
        ];
        let imported = self
            .client
            .import_key_pair()
            .key_name(name(stack))
            .public_key_material(Blob::new(key.public()))
            .tag_specifications(self.tags_on(ResourceType::KeyPair, tags))
            .send()
            .await;
        match imported.map_err(|e| self.failed("ImportKeyPair", &e)) {
            Ok(made) => Ok(made.key_pair_id),
            Err(error) if error.is(&["InvalidKeyPair.Duplicate"]) => {
                let Some(pair) = self.key_pair(&name(stack)).await? else { return Ok(None) };
                if !is_lock(&pair, stack) {
                    let id = pair.key_pair_id.unwrap_or_default();
                    let (region, name) = (self.region.clone(), name(stack));
                    return Err(AccountError::ForeignLock { region, id, name });
                }
                // It may be our own, if the answer to the first attempt was lost.
                let found = read(&pair).filter(|found| found.is_same(lock));
                Ok(found.map(|found| found.id))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The stack's lock, if a command holds it.
    pub async fn lock(&self, stack: &str) -> Result<Option<Lock>, Ec2Error> {
        let found = self.key_pair(&name(stack)).await?;
        Ok(found.filter(|pair| is_lock(pair, stack)).as_ref().and_then(read))
    }

    /// Extends a lock to `expires`, in seconds since 1970.
    pub async fn renew_lock(&self, id: &str, expires: u64) -> Result<(), Ec2Error> {
        self.set_tag(id, tag(tags::LOCK_EXPIRES, &expires.to_string())).await
    }

    /// Releases a lock, whoever holds it. Succeeds if it is gone already.
    pub async fn release_lock(&self, id: &str) -> Result<(), Ec2Error> {
        let deleted = self.client.delete_key_pair().key_pair_id(id).send().await;
        deleted.map(drop).map_err(|e| self.failed("DeleteKeyPair", &e))
    }
}

fn name(stack: &str) -> String {
    format!("eventpost-lock-{stack}")
}

/// Whether a key pair with the lock's name is the lock.
fn is_lock(pair: &KeyPairInfo, stack: &str) -> bool {
    tags::are_of(pair.tags(), stack) && tags::value(pair.tags(), tags::LOCK) == Some(stack)
}

fn read(pair: &KeyPairInfo) -> Option<Lock> {
    let value = |key| tags::value(pair.tags(), key).unwrap_or_default();
    Some(Lock {
        id: pair.key_pair_id()?.into(),
        owner: value(tags::LOCK_OWNER).into(),
        purpose: value(tags::LOCK_PURPOSE).into(),
        since: value(tags::LOCK_SINCE).parse().unwrap_or_default(),
        expires: value(tags::LOCK_EXPIRES).parse().unwrap_or_default(),
    })
}
