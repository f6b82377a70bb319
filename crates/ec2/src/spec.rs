//! What a stack wants of EC2, in this crate's own words.

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

impl GroupName {
    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Default(name) | Self::Given(name) => name,
        }
    }
}
