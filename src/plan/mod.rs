//! What a command is about to do: a list of operations, which `plan` prints and `up` and
//! `deploy` execute. Pure: decided from what is wanted and what exists.

pub mod container;
pub mod launch;
pub mod local;
pub mod price;

use std::net::{IpAddr, SocketAddr};

use ec2::Instance;
use serde::{Serialize, Serializer};

use self::price::Cost;

/// The operations that a command executes, in order.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The stack.
    pub stack: String,
    /// What is done, in this order.
    pub operations: Vec<Operation>,
    /// What the hosts cost from then on, if `up` launches them and their price is known.
    pub cost: Option<Cost>,
    /// How long the last `up` took, in seconds.
    pub last_time_seconds: Option<f64>,
    /// What users should know before they go on.
    pub notes: Vec<String>,
}

/// One operation on a service, its host or its data, or on what the whole stack uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The service; `None` if the operation is on something that all of them use.
    pub service: Option<String>,
    /// What is done.
    pub action: Action,
    /// Why, for people to read.
    pub reason: String,
}

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing: the service runs as wanted.
    Keep {
        /// The process or host that it runs on.
        target: String,
    },
    /// Start a process of this machine.
    Start {
        /// Where it listens.
        address: SocketAddr,
    },
    /// Stop a process of this machine and start it again; its data stay.
    Restart {
        /// Where it listens then.
        address: SocketAddr,
    },
    /// Install Docker on a host.
    InstallDocker {
        /// The host.
        host: String,
    },
    /// Run a container if there is none.
    CreateContainer {
        /// The host.
        host: String,
        /// The image.
        image: String,
    },
    /// Replace a container without refusing a request; its data stay.
    UpdateContainer {
        /// The host.
        host: String,
        /// The image.
        image: String,
    },
    /// Write another list of tokens to a host.
    UpdateTokens {
        /// The host.
        host: String,
    },
    /// Launch an instance and run the service on it.
    Launch {
        /// Its type.
        instance_type: String,
        /// The id of the image that it boots.
        image: String,
    },
    /// Run the service on an instance whose launch was interrupted.
    Resume {
        /// The instance.
        instance: Box<Instance>,
    },
    /// Copy the service's data from an old instance to the new one.
    CarryOver {
        /// The old instance.
        from: Box<Instance>,
        /// How many resources it holds, if the service says so.
        resources: Option<u64>,
    },
    /// Add the fixtures that a service does not have.
    Seed {
        /// How many are missing; all of them if that is not known yet.
        fixtures: usize,
    },
    /// Create the stack's security group.
    CreateGroup {
        /// Its name.
        name: String,
    },
    /// Add rules to the stack's security group.
    OpenPorts {
        /// The group's name.
        group: String,
    },
    /// Import the public key that new instances accept.
    ImportKey,
    /// Allocate an Elastic IP address for the service.
    AllocateAddress,
    /// Make an Elastic IP address point to the service's host.
    MoveAddress {
        /// The address.
        address: IpAddr,
        /// The host that serves at it, if there is one.
        from: Option<Box<Instance>>,
    },
    /// Terminate an instance.
    Terminate {
        /// The instance.
        instance: Box<Instance>,
        /// Whether data are lost that nothing else has.
        loses_data: bool,
        /// How many resources it holds, if the service says so.
        resources: Option<u64>,
    },
}

impl Plan {
    /// A plan that launches no hosts.
    pub fn new(stack: &str, operations: Vec<Operation>) -> Self {
        Self {
            stack: stack.into(),
            operations,
            cost: None,
            last_time_seconds: None,
            notes: Vec::new(),
        }
    }

    /// Whether everything is as wanted already.
    pub fn is_empty(&self) -> bool {
        self.operations.iter().all(Operation::is_keep)
    }

    /// Whether data are lost that nothing else has.
    pub fn loses_data(&self) -> bool {
        self.operations.iter().any(Operation::loses_data)
    }
}

impl Operation {
    /// An operation on a service.
    pub fn new(service: &str, action: Action, reason: impl Into<String>) -> Self {
        Self { service: Some(service.into()), action, reason: reason.into() }
    }

    /// An operation on something that all services of the stack use.
    pub fn of_stack(action: Action, reason: impl Into<String>) -> Self {
        Self { service: None, action, reason: reason.into() }
    }

    /// The operation that adds fixtures to a service; `None` if none are missing.
    pub fn seed(service: &str, missing: usize) -> Option<Self> {
        let action = Action::Seed { fixtures: missing };
        (missing > 0).then(|| Self::new(service, action, "missing fixtures are added"))
    }

    /// Whether it is on a service.
    pub fn is_of(&self, service: &str) -> bool {
        self.service.as_deref() == Some(service)
    }

    /// Whether it changes nothing.
    pub fn is_keep(&self) -> bool {
        matches!(self.action, Action::Keep { .. })
    }

    /// Whether data are lost that nothing else has.
    pub fn loses_data(&self) -> bool {
        matches!(self.action, Action::Terminate { loses_data: true, .. })
    }
}

impl Action {
    /// The word for it, in tables and JSON.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Keep { .. } => "keep",
            Self::Start { .. } => "start",
            Self::Restart { .. } => "restart",
            Self::InstallDocker { .. } => "install",
            Self::CreateContainer { .. } | Self::CreateGroup { .. } => "create",
            Self::UpdateContainer { .. } | Self::UpdateTokens { .. } => "update",
            Self::Seed { .. } => "seed",
            Self::OpenPorts { .. } => "open",
            Self::ImportKey => "import",
            Self::Launch { .. } => "launch",
            Self::Resume { .. } => "resume",
            Self::CarryOver { .. } => "carry over",
            Self::AllocateAddress => "allocate",
            Self::MoveAddress { .. } => "move",
            Self::Terminate { .. } => "terminate",
        }
    }

    /// What it acts on, for people to read.
    pub fn target(&self) -> String {
        match self {
            Self::Keep { target } => target.clone(),
            Self::Start { address } | Self::Restart { address } => format!("process at {address}"),
            Self::InstallDocker { host } => format!("Docker on {host}"),
            Self::CreateContainer { host, image } | Self::UpdateContainer { host, image } => {
                format!("{image} on {host}")
            }
            Self::UpdateTokens { host } => format!("list of tokens on {host}"),
            Self::Seed { fixtures: 1 } => "1 fixture".into(),
            Self::Seed { fixtures } => format!("{fixtures} fixtures"),
            Self::CreateGroup { name } => format!("security group {name}"),
            Self::OpenPorts { group } => format!("ports of security group {group}"),
            Self::ImportKey => "the key that logs in".into(),
            Self::Launch { instance_type, image } => format!("{instance_type} with {image}"),
            Self::Resume { instance } | Self::Terminate { instance, .. } => instance.id.clone(),
            Self::AllocateAddress => "Elastic IP address".into(),
            Self::MoveAddress { address, .. } => address.to_string(),
            Self::CarryOver { from, .. } => format!("data of {}", from.id),
        }
    }

    /// How many resources the data have that it copies or loses, if that is known.
    pub fn resources(&self) -> Option<u64> {
        match self {
            Self::CarryOver { resources, .. }
            | Self::Terminate { loses_data: true, resources, .. } => *resources,
            _ => None,
        }
    }
}

/// An operation as JSON.
#[derive(Serialize)]
struct Fields<'a> {
    service: Option<&'a str>,
    action: &'static str,
    target: String,
    reason: &'a str,
    loses_data: bool,
    resources: Option<u64>,
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = Fields {
            service: self.service.as_deref(),
            action: self.action.verb(),
            target: self.action.target(),
            reason: &self.reason,
            loses_data: self.loses_data(),
            resources: self.action.resources(),
        };
        fields.serialize(serializer)
    }
}
