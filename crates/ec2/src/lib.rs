//! EC2: instances, addresses, security groups, key pairs and the lock of a stack. No type of the SDK
//! leaves this crate.
//!
//! AWS is the state: everything carries the stack's tags from the call that creates it, so that
//! any machine with credentials finds it again. Nothing without the stack's tag is ever changed
//! or deleted.
//!
//! Without the feature `sdk`, the same interface compiles in seconds and fails to connect.

mod address;
mod error;
mod instance;
mod model;
mod release;
#[cfg(feature = "sdk")]
mod sdk;
#[cfg(not(feature = "sdk"))]
mod without;

pub use address::ElasticIp;
pub use error::{AccountError, Ec2Error, authorize};
pub use instance::{Instance, InstanceState};
pub use model::{
    Account, Disk, GroupChange, GroupName, GroupPlan, GroupSpec, GroupState, Ingress, Launch,
    LaunchOptions, MachineImage, NewInstance, SshFrom, UserTags,
};
pub use release::{Image, Release};
#[cfg(feature = "sdk")]
pub use sdk::Ec2;
#[cfg(not(feature = "sdk"))]
pub use without::Ec2;
