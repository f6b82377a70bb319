//! EC2 without AWS's SDK: `connect` fails, so no other method is ever called.

#![expect(clippy::unused_async, reason = "the interface is that of the SDK")]

use std::convert::Infallible;

use ssh::Identity;
use support::event::Reporter;
use support::lock::Lock;

use crate::address::ElasticIp;
use crate::error::{AccountError, Ec2Error};
use crate::instance::Instance;
use crate::model::{Account, GroupPlan, GroupSpec, GroupState, Launch, MachineImage, NewInstance};
use crate::release::Image;

/// A region of EC2; without the SDK there is no value of this type.
#[derive(Debug, Clone)]
pub struct Ec2(Infallible);

/// Methods that cannot be called, because there is no value to call them on.
macro_rules! unreachable_methods {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        impl Ec2 {
            $(
                $(#[$doc])*
                #[expect(unused_variables, reason = "it is never called")]
                pub async fn $name(&self, $($argument: $kind),*) -> $result {
                    match self.0 {}
                }
            )*
        }
    };
}

impl Ec2 {
    /// Fails: this program was built without AWS's SDK.
    pub async fn connect(_account: &Account) -> Result<Self, Ec2Error> {
        let message = "this eventpost was built without AWS's SDK: build it with `cargo build \
            --release` (the Cargo feature `aws`), or use --local or --hosts";
        Err(Ec2Error::new("connecting", "AWS", message))
    }

    /// The name of the key pair for an identity.
    pub fn key_name(_stack: &str, _identity: &Identity) -> String {
        String::new()
    }

    /// The region.
    pub fn region(&self) -> &str {
        match self.0 {}
    }
}

unreachable_methods! {
    /// What EC2's own checks find wrong with an instance.
    failed_status_checks(id: &str) -> Result<Option<String>, Ec2Error>;
    /// What is missing on the way from the internet to an instance.
    missing_route(id: &str) -> Result<Option<String>, Ec2Error>;
    /// What an instance has printed on its console.
    console(id: &str) -> Result<String, Ec2Error>;
    /// The image that hosts boot.
    machine_image(image: &Image) -> Result<MachineImage, Ec2Error>;
    /// All instances with the stack's tag.
    instances(stack: &str) -> Result<Vec<Instance>, Ec2Error>;
    /// Checks that instances of a type can boot an image.
    check_architecture(instance_type: &str, image: &MachineImage) -> Result<(), Ec2Error>;
    /// Checks whether an instance may be launched.
    may_launch(launch: &Launch, new: &NewInstance<'_>) -> Result<(), Ec2Error>;
    /// Launches an instance.
    launch(launch: &Launch, new: &NewInstance<'_>) -> Result<Instance, Ec2Error>;
    /// Waits until an instance runs and has an address.
    wait_running(instance: &Instance, reporter: Reporter<'_>) -> Result<Instance, Ec2Error>;
    /// Terminates instances.
    terminate(instances: &[Instance], reporter: Reporter<'_>) -> Result<(), Ec2Error>;
    /// The addresses of the stack.
    addresses(stack: &str) -> Result<Vec<ElasticIp>, Ec2Error>;
    /// Checks whether so many more addresses may be allocated.
    may_allocate(stack: &str, services: &[&str]) -> Result<(), Ec2Error>;
    /// Allocates an address for a service.
    allocate_address(stack: &str, service: &str) -> Result<ElasticIp, Ec2Error>;
    /// Makes an address point to an instance.
    move_address(elastic: &ElasticIp, instance: &str) -> Result<(), Ec2Error>;
    /// Waits until an instance shows an address.
    wait_moved(elastic: &ElasticIp, instance: &str, reporter: Reporter<'_>) -> Result<Instance, Ec2Error>;
    /// Releases addresses.
    release_addresses(addresses: &[ElasticIp], reporter: Reporter<'_>) -> Result<(), Ec2Error>;
    /// Makes an instance's metadata service require tokens.
    require_metadata_tokens(id: &str) -> Result<(), Ec2Error>;
    /// Records the host keys of an instance.
    set_host_keys(id: &str, keys: &[String]) -> Result<(), Ec2Error>;
    /// Marks instances as those that serve.
    set_serving(ids: &[String]) -> Result<(), Ec2Error>;
    /// Whether the account has the key pair for an identity.
    has_key(stack: &str, identity: &Identity) -> Result<bool, AccountError>;
    /// The name of the key pair for an identity.
    ensure_key(stack: &str, identity: &Identity) -> Result<String, AccountError>;
    /// Deletes the key pairs that the stack imported.
    delete_keys(stack: &str) -> Result<(), Ec2Error>;
    /// Acquires the stack's lock.
    acquire_lock(stack: &str, lock: &Lock) -> Result<Option<String>, AccountError>;
    /// The stack's lock, if a command holds it.
    lock(stack: &str) -> Result<Option<Lock>, Ec2Error>;
    /// Extends a lock.
    renew_lock(id: &str, expires: u64) -> Result<(), Ec2Error>;
    /// Releases a lock.
    release_lock(id: &str) -> Result<(), Ec2Error>;
    /// Which security group hosts would be launched in.
    plan_group(spec: &GroupSpec) -> Result<GroupPlan, AccountError>;
    /// Executes a plan, and returns the group's id.
    ensure_group(spec: &GroupSpec, plan: &GroupPlan) -> Result<String, AccountError>;
    /// The security group that the stack's hosts should be in.
    group_state(spec: &GroupSpec) -> Result<GroupState, Ec2Error>;
    /// Deletes the groups that the stack created.
    delete_groups(stack: &str, reporter: Reporter<'_>) -> Result<(), Ec2Error>;
}
