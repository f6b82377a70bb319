//! This module owns key pairs: the public key that new instances let in.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{KeyPairInfo, ResourceType};

use super::tags::{self, of_stack, tag};
use super::{Ec2, Ec2Error};
use crate::digest::sha256;
use crate::host::Identity;

impl Ec2 {
    /// The name of the key pair for an identity, imported where it is missing. The name
    /// says which key it is, so that two users of a stack do not overwrite each other's.
    pub async fn ensure_key(&self, stack: &str, identity: &Identity) -> Result<String, Ec2Error> {
        let name = format!("{stack}-{}", &sha256(identity.public_base64())[..8]);
        let imported = self
            .client
            .import_key_pair()
            .key_name(&name)
            .public_key_material(Blob::new(identity.public()))
            .tag_specifications(tags::on(ResourceType::KeyPair, vec![tag(tags::STACK, stack)]))
            .send()
            .await;
        match imported.map_err(|e| self.failed("ImportKeyPair", &e)) {
            Err(error) if !error.is(&["InvalidKeyPair.Duplicate"]) => Err(error),
            _ => Ok(name),
        }
    }

    /// Removes the key pairs that the stack imported.
    pub async fn delete_keys(&self, stack: &str) -> Result<(), Ec2Error> {
        let found = self.client.describe_key_pairs().filters(of_stack(stack)).send().await;
        let found = found.map_err(|e| self.failed("DescribeKeyPairs", &e))?;
        // The lease of the command that removes them is its own to give back.
        let keys = found.key_pairs().iter();
        let keys = keys.filter(|pair| tags::value(pair.tags(), tags::LEASE).is_none());
        for name in keys.filter_map(KeyPairInfo::key_name) {
            let deleted = self.client.delete_key_pair().key_name(name).send().await;
            deleted.map_err(|e| self.failed("DeleteKeyPair", &e))?;
        }
        Ok(())
    }
}
