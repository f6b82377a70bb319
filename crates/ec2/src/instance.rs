//! An instance of a stack, as EC2 describes it.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

/// An instance that a service runs on, or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its id, such as `i-0123456789abcdef0`.
    pub id: String,
    /// The service that it was launched for.
    pub service: String,
    /// The launch of the stack that it belongs to; later launches have larger numbers.
    pub generation: u32,
    /// Whether its launch was completed, so that it serves.
    pub serving: bool,
    /// Whether it was launched for a service that keeps its data in a database, and not on it.
    pub in_database: bool,
    /// What it is doing.
    pub state: InstanceState,
    /// Why it is doing that, in EC2's words, if EC2 has done it.
    pub reason: Option<String>,
    /// Its public address, once it has one.
    pub address: Option<IpAddr>,
    /// Its public DNS name, once it has one.
    pub dns: Option<String>,
    /// Its type, such as `t2.xlarge`.
    pub instance_type: String,
    /// The id of the image that it booted.
    pub image: String,
    /// When it was launched, in seconds since 1970.
    pub launched: u64,
    /// Who launched it, if its tags say so.
    pub launched_by: Option<String>,
    /// When it terminates itself, in seconds since 1970.
    pub expires: Option<u64>,
    /// The host keys that it may prove itself with.
    pub host_keys: Vec<String>,
}

/// What an instance is doing, by the names of EC2's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceState {
    /// It was requested and does not run yet.
    Pending,
    /// It runs.
    Running,
    /// It is being terminated.
    ShuttingDown,
    /// It is gone; EC2 lists it for about an hour.
    Terminated,
    /// It is being stopped.
    Stopping,
    /// It is off and can be started again, with its data.
    Stopped,
    /// A state that this version does not know.
    Other(String),
}

impl Instance {
    /// Whether it exists and is not being terminated.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, InstanceState::Terminated | InstanceState::ShuttingDown)
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.state == InstanceState::Running
    }
}

impl InstanceState {
    /// The state that EC2's API calls by this name.
    pub fn new(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "running" => Self::Running,
            "shutting-down" => Self::ShuttingDown,
            "terminated" => Self::Terminated,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            other => Self::Other(other.into()),
        }
    }

    /// The name in EC2's API.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for InstanceState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
