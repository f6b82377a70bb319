//! Where hosts come from: EC2 ([`ec2`]).

pub mod ec2;

pub use support::machine::Machine;
