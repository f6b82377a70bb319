//! Parameters of EC2 calls that follow from the configuration.

use ec2::GroupSpec;

use super::model::{Config, Service};

impl Config {
    /// The security group of the stack's hosts.
    pub fn group_spec(&self) -> GroupSpec {
        GroupSpec {
            stack: self.stack.to_string(),
            name: self.security_group.name.clone(),
            ssh_from: self.security_group.ssh_from.clone(),
            ports: self.services.iter().flat_map(Service::public_ports).collect(),
        }
    }
}
