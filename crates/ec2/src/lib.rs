//! EC2: instances, security groups, key pairs and the lease of a stack. No type of the SDK
//! leaves this crate.
//!
//! AWS is the state: everything that is made carries the stack's tags from the call
//! that makes it, so that any machine with credentials finds it again. Nothing without
//! the stack's tag is ever changed or removed.

mod client;
mod diagnose;
mod error;
mod group;
mod image;
mod instance;
mod keys;
mod lease;
mod network;
mod spec;
mod tags;

pub use client::Ec2;
pub use error::{AccountError, Ec2Error, authorize};
pub use group::{GroupPlan, GroupState, Ingress};
pub use image::MachineImage;
pub use instance::{Launch, Wanted};
pub use spec::{GroupName, GroupSpec, Image, SshFrom};
