//! The parameters and results of calls to EC2, without types of the SDK.

use std::fmt;

use ssh::Identity;

/// The security group that a stack's hosts are to be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSpec {
    /// The stack.
    pub stack: String,
    /// What the group is called.
    pub name: GroupName,
    /// Who may connect by SSH.
    pub ssh_from: SshFrom,
    /// The ports that the services answer on.
    pub ports: Vec<u16>,
}

/// What a stack's security group is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupName {
    /// As the stack, since nobody has said otherwise: only a group of the stack's own is used.
    Default(String),
    /// As somebody has said: a group of that name is used, whoever made it.
    Given(String),
}

/// Who may connect by SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshFrom {
    /// The address that this machine is seen with.
    Auto,
    /// An IPv4 network, as in `203.0.113.0/24`.
    Network(String),
}

/// What hosts boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// The newest image of Canonical's for Ubuntu 18.04.
    Ubuntu1804,
    /// An image by its id.
    Ami(String),
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ubuntu1804 => f.write_str("of Canonical's for Ubuntu 18.04"),
            Self::Ami(id) => f.write_str(id),
        }
    }
}

impl GroupName {
    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Default(name) | Self::Given(name) => name,
        }
    }
}

/// A rule that a group should have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ingress {
    /// The TCP port.
    pub port: u16,
    /// The network that may connect to it, as in `203.0.113.0/24`.
    pub from: String,
}

/// What `up` does to have a security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlan {
    /// The VPC that hosts are launched in.
    pub(crate) vpc: String,
    /// The network that SSH is open to.
    pub(crate) ssh: String,
    pub(crate) step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "sdk"), expect(dead_code, reason = "only the SDK's side plans"))]
pub(crate) enum Step {
    /// Make a group of the stack's own.
    Create,
    /// Add rules to the stack's own group.
    Open { id: String, missing: Vec<Ingress> },
    /// Use a group that the file names, without changing it.
    Use { id: String },
}

/// The security group that a stack's hosts should be in, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupState {
    /// There is no VPC that it could be in.
    NoVpc,
    /// There is none of its name.
    Missing,
    /// The group of the stack's name belongs to somebody else.
    Foreign {
        /// Its id.
        id: String,
    },
    /// There is one.
    Found {
        /// Its id.
        id: String,
        /// Whether the stack made it; the file names it otherwise.
        own: bool,
        /// The ports that services and SSH need and that nobody can connect to.
        closed: Vec<u16>,
    },
}

/// An image to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineImage {
    /// Its id.
    pub id: String,
    /// Its root device, as in `/dev/sda1`.
    pub root_device: String,
}

/// What all instances of a launch have in common.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The stack.
    pub stack: String,
    /// The generation that is launched.
    pub generation: u32,
    /// The instance type.
    pub instance_type: String,
    /// What they boot.
    pub image: MachineImage,
    /// The security group's id.
    pub group: String,
    /// The key pair's name.
    pub key: String,
    /// When they terminate themselves, in seconds since 1970.
    pub expires: Option<u64>,
    /// Who launches them.
    pub by: String,
}

/// What an instance of a launch has for itself.
#[derive(Debug, Clone)]
pub struct NewInstance<'a> {
    /// The service that it is launched for.
    pub service: &'a str,
    /// The host key that it gets.
    pub host_key: &'a Identity,
}
