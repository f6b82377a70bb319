//! EC2 by AWS's SDK.

mod client;
mod diagnose;
mod group;
mod image;
mod instance;
mod keys;
mod lease;
mod log;
mod network;
mod tags;

pub use client::Ec2;

use crate::error::{AccountError, Ec2Error};
use crate::model::{GroupPlan, GroupState, Ingress, Launch, MachineImage, Wanted};
