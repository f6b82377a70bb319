//! This module owns EC2. No type of the SDK leaves it.
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
mod tags;

pub use client::Ec2;
pub(crate) use error::authorize;
pub use error::{AccountError, Ec2Error};
pub use group::{GroupPlan, GroupState, Ingress};
pub use image::MachineImage;
pub use instance::{Launch, Wanted};
