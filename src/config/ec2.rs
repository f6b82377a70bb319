//! The keys that are about EC2, as its crate wants them.

use super::model::{Config, GroupName, Image, SshFrom};

impl Config {
    /// The security group that the hosts are to be in.
    pub fn group(&self) -> ec2::GroupSpec {
        ec2::GroupSpec {
            stack: self.stack.to_string(),
            name: match &self.security_group.name {
                GroupName::Default(name) => ec2::GroupName::Default(name.to_string()),
                GroupName::Given(name) => ec2::GroupName::Given(name.clone()),
            },
            ssh_from: match &self.security_group.ssh_from {
                SshFrom::Auto => ec2::SshFrom::Auto,
                SshFrom::Network(network) => ec2::SshFrom::Network(network.clone()),
            },
            ports: self.services.iter().map(|service| service.port).collect(),
        }
    }

    /// What the hosts are to boot.
    pub fn boot_image(&self) -> ec2::Image {
        match &self.image {
            Image::Ubuntu1804 => ec2::Image::Ubuntu1804,
            Image::Ami(id) => ec2::Image::Ami(id.clone()),
        }
    }
}
