//! Imports the public key that new instances accept, and deletes it.

use std::time::Duration;

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{KeyPairInfo, ResourceType};
use ssh::Identity;
use support::digest::sha256;
use support::wait::{Backoff, Deadline};

use super::tags::{self, filter, of_stack, tag};
use super::{AccountError, Ec2, Ec2Error};

/// Not every call sees a key pair at once that was just imported.
const VISIBLE_TIMEOUT: Duration = Duration::from_secs(20);

impl Ec2 {
    /// Whether the account has the key pair for an identity. Fails if the one of its name is
    /// not the stack's.
    pub async fn has_key(&self, stack: &str, identity: &Identity) -> Result<bool, AccountError> {
        match self.key_pair(&Self::key_name(stack, identity)).await? {
            Some(pair) => self.judge_key(&pair, stack, identity).map(|()| true),
            None => Ok(false),
        }
    }

    /// The name of the key pair for an identity, which is imported if it is missing. The name
    /// contains a digest of the key, so that two users of a stack do not overwrite each other's.
    pub async fn ensure_key(
        &self,
        stack: &str,
        identity: &Identity,
    ) -> Result<String, AccountError> {
        let name = Self::key_name(stack, identity);
        let imported = self
            .client
            .import_key_pair()
            .key_name(&name)
            .public_key_material(Blob::new(identity.public()))
            .tag_specifications(self.tags_on(ResourceType::KeyPair, vec![tag(tags::STACK, stack)]))
            .send()
            .await;
        let error = match imported.map_err(|e| self.failed("ImportKeyPair", &e)) {
            Ok(_) => return Ok(name),
            Err(error) if error.is(&["InvalidKeyPair.Duplicate"]) => error,
            Err(error) => return Err(error.into()),
        };
        // Another key of that name would let somebody else in, and not this command.
        let deadline = Deadline::after(VISIBLE_TIMEOUT);
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        loop {
            if let Some(pair) = self.key_pair(&name).await? {
                return self.judge_key(&pair, stack, identity).map(|()| name);
            }
            if deadline.has_passed() {
                return Err(error.into());
            }
            backoff.pause(deadline).await;
        }
    }

    /// The name of the key pair for an identity.
    pub fn key_name(stack: &str, identity: &Identity) -> String {
        format!("{stack}-{}", &sha256(identity.public_base64())[..8])
    }

    /// Deletes the key pairs that the stack imported.
    pub async fn delete_keys(&self, stack: &str) -> Result<(), Ec2Error> {
        let found = self.client.describe_key_pairs().filters(of_stack(stack)).send().await;
        let found = found.map_err(|e| self.failed("DescribeKeyPairs", &e))?;
        let own = |pair: &&KeyPairInfo| {
            // A command releases its own lock itself.
            tags::are_of(pair.tags(), stack) && tags::value(pair.tags(), tags::LOCK).is_none()
        };
        // By id, because another one of the same name may have been imported meanwhile.
        for id in found.key_pairs().iter().filter(own).filter_map(KeyPairInfo::key_pair_id) {
            let deleted = self.client.delete_key_pair().key_pair_id(id).send().await;
            match deleted.map_err(|e| self.failed("DeleteKeyPair", &e)) {
                Err(error) if !error.is(&["InvalidKeyPair.NotFound"]) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The key pair of a name, with its public key. EC2 returns all of them at once, without
    /// pages.
    pub(super) async fn key_pair(&self, name: &str) -> Result<Option<KeyPairInfo>, Ec2Error> {
        let request = self.client.describe_key_pairs().include_public_key(true);
        let found = request.filters(filter("key-name", name)).send().await;
        let found = found.map_err(|e| self.failed("DescribeKeyPairs", &e))?;
        let mut pairs = found.key_pairs.unwrap_or_default().into_iter();
        Ok(pairs.find(|pair| pair.key_name() == Some(name)))
    }

    fn judge_key(
        &self,
        pair: &KeyPairInfo,
        stack: &str,
        identity: &Identity,
    ) -> Result<(), AccountError> {
        let Some(problem) = problem(pair, stack, identity.public()) else { return Ok(()) };
        Err(AccountError::ForeignKey {
            region: self.region.clone(),
            id: pair.key_pair_id().unwrap_or_default().into(),
            name: pair.key_name().unwrap_or_default().into(),
            problem,
        })
    }
}

/// Why a key pair is not the stack's for a public key; `None` if it is.
fn problem(pair: &KeyPairInfo, stack: &str, public: &str) -> Option<String> {
    // A comment may follow the type and the key.
    let key = |text: &str| text.split_whitespace().take(2).map(String::from).collect::<Vec<_>>();
    if !tags::are_of(pair.tags(), stack) {
        return Some(format!("lacks the tag {}={stack}", tags::STACK));
    }
    let other = pair.public_key().is_none_or(|text| key(text) != key(public));
    other.then(|| "has another public key".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(public: Option<&str>, stack: Option<&str>) -> KeyPairInfo {
        let tags = stack.map(|stack| vec![tag(tags::STACK, stack)]);
        let public = public.map(String::from);
        KeyPairInfo::builder().set_public_key(public).set_tags(tags).build()
    }

    #[test]
    fn a_key_pair_is_used_only_with_the_stacks_tag_and_the_very_key() {
        let judge = |public, stack| problem(&pair(public, stack), "life", "ssh-ed25519 AAAA");
        assert_eq!(judge(Some("ssh-ed25519 AAAA imported by me\n"), Some("life")), None);
        for stack in [None, Some("other")] {
            let problem = judge(Some("ssh-ed25519 AAAA"), stack).unwrap();
            assert_eq!(problem, "lacks the tag eventpost:stack=life");
        }
        for public in [None, Some(""), Some("ssh-ed25519 BBBB"), Some("ssh-rsa AAAA")] {
            let problem = judge(public, Some("life")).unwrap();
            assert_eq!(problem, "has another public key", "{public:?}");
        }
    }
}
