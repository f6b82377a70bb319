//! EC2 by AWS's SDK.

mod address;
mod client;
mod diagnose;
mod error;
mod group;
mod http;
mod image;
mod instance;
mod keys;
mod launch;
mod lock;
mod log;
mod network;
mod tags;

pub use client::Ec2;

use crate::address::ElasticIp;
use crate::error::{AccountError, Ec2Error};
use crate::instance::{Instance, InstanceState};
use crate::model::{GroupPlan, GroupState, Ingress, Launch, MachineImage, NewInstance};
