//! The parameters and results of calls to EC2, without types of the SDK.

use std::collections::BTreeMap;

use ssh::Identity;

/// The security group that a stack's hosts should be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSpec {
    /// The stack.
    pub stack: String,
    /// The name of the group.
    pub name: GroupName,
    /// Who may connect by SSH.
    pub ssh_from: SshFrom,
    /// The ports of the services.
    pub ports: Vec<u16>,
}

/// The name of a stack's security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupName {
    /// The stack's name, by default: only a group that the stack created is used.
    Default(String),
    /// The name that the file gives: a group of that name is used, whoever created it.
    Configured(String),
}

/// Who may connect by SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshFrom {
    /// This machine's public address.
    Auto,
    /// An IPv4 network, as in `203.0.113.0/24`.
    Network(String),
}

impl GroupName {
    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Default(name) | Self::Configured(name) => name,
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

/// How `up` gets its security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlan {
    /// The VPC that hosts are launched in.
    pub(crate) vpc: String,
    /// The network that may connect by SSH.
    pub(crate) ssh: String,
    pub(crate) step: GroupStep,
}

/// What carrying out a [`GroupPlan`] changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// A group is created.
    Create,
    /// Rules for these ports are added.
    Open(Vec<u16>),
}

impl GroupPlan {
    /// The group's id, if there is one already.
    pub fn id(&self) -> Option<&str> {
        match &self.step {
            GroupStep::Create => None,
            GroupStep::Open { id, .. } | GroupStep::Use { id } => Some(id),
        }
    }

    /// What carrying it out changes, if anything.
    pub fn change(&self) -> Option<GroupChange> {
        match &self.step {
            GroupStep::Create => Some(GroupChange::Create),
            GroupStep::Open { missing, .. } if !missing.is_empty() => {
                Some(GroupChange::Open(missing.iter().map(|rule| rule.port).collect()))
            }
            GroupStep::Open { .. } | GroupStep::Use { .. } => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "sdk"), expect(dead_code, reason = "only the SDK's side plans"))]
pub(crate) enum GroupStep {
    /// Create a group.
    Create,
    /// Add rules to the group that the stack created.
    Open { id: String, missing: Vec<Ingress> },
    /// Use a group that the file names, without changing it.
    Use { id: String },
}

/// The security group that a stack's hosts should be in, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupState {
    /// There is no VPC that it could be in.
    NoVpc,
    /// There is no group of its name.
    Missing,
    /// Somebody else created the group of the stack's name.
    Foreign {
        /// Its id.
        id: String,
    },
    /// There is a group that the stack uses.
    Usable {
        /// Its id.
        id: String,
        /// Whether the stack created it; otherwise the file names it.
        own: bool,
        /// The ports of services and SSH that are closed for everybody.
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
    /// The size of its snapshot, which a disk must have at least, in GiB.
    pub gib: u32,
    /// The processors that it is for, as in `x86_64`.
    pub architecture: String,
}

/// The disk of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its size in GiB; `None` is 20, or what the image needs if that is more.
    pub gib: Option<u32>,
    /// Its type, as in `gp3`.
    pub kind: String,
    /// The key that encrypts it; `None` is the account's own for disks.
    pub kms_key: Option<String>,
}

impl Default for Disk {
    fn default() -> Self {
        Self { gib: None, kind: "gp3".into(), kms_key: None }
    }
}

/// What a stack wants of its instances, beside the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchOptions {
    /// The instance type.
    pub instance_type: String,
    /// The name of the role that they have.
    pub instance_profile: Option<String>,
    /// Their disk.
    pub disk: Disk,
    /// Whether their metadata service takes requests without a token while they boot.
    pub metadata_without_token: bool,
}

/// Which account and region a stack is in, and what it is tagged with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The region; `None` leaves it to AWS's own settings.
    pub region: Option<String>,
    /// The profile of AWS's configuration; `None` leaves it to these settings, too.
    pub profile: Option<String>,
    /// What everything that is created is tagged with.
    pub tags: UserTags,
}

/// Tags of the user, which everything of a stack has beside its own.
pub type UserTags = BTreeMap<String, String>;

/// What the instances of a launch have in common.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The stack.
    pub stack: String,
    /// The number of the launch.
    pub generation: u32,
    /// What the stack wants of them.
    pub options: LaunchOptions,
    /// The image that they boot.
    pub image: MachineImage,
    /// The security group's id; `None` if it is still to be created.
    pub group: Option<String>,
    /// The key pair's name; `None` if it is still to be imported.
    pub key: Option<String>,
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
    /// Whether the service keeps its data in a database, and not on the instance.
    pub in_database: bool,
    /// The host key that it gets.
    pub host_key: &'a Identity,
}
