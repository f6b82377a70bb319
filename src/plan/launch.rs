//! Decides which instances a run of `up` launches, resumes and replaces. Pure: it works from
//! what EC2 reports.

use std::collections::BTreeMap;

use ec2::{ElasticIp, Instance, InstanceState};

use super::{Action, Operation};

/// What the new instances of a stack should be.
#[derive(Debug, Clone, Copy)]
pub struct LaunchSpec<'a> {
    /// The services, one instance each.
    pub services: &'a [String],
    /// The Elastic IP addresses that there are, if the services are to have some.
    pub addresses: Option<&'a [ElasticIp]>,
    /// The services whose data are in a database, and not on their hosts.
    pub databases: &'a [String],
    /// What the instances need, and is to be changed before they are launched.
    pub setup: &'a [Operation],
    /// How many fixtures each service begins with.
    pub fixtures: &'a BTreeMap<String, usize>,
    /// The type of every instance.
    pub instance_type: &'a str,
    /// The id of the image that they boot.
    pub image: &'a str,
    /// Whether to start without the data of the old instances.
    pub fresh: bool,
    /// Whether to terminate the old instances before the new ones are launched.
    pub terminate_first: bool,
}

/// A launch: its operations and the number that its instances carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchPlan {
    /// The number of the launch: that of the resumed one, or a new one.
    pub generation: u32,
    /// The operations, in order.
    pub operations: Vec<Operation>,
}

/// Decides what a launch does; `now` numbers a new one, in seconds since 1970.
///
/// An instance of the newest launch is resumed if that launch was interrupted before it served
/// and the instance has the wanted type and image. All other instances are replaced, and the
/// data of the newest one that served are carried over unless `fresh` is set.
pub fn plan(wanted: LaunchSpec<'_>, instances: &[Instance], now: u32) -> LaunchPlan {
    let alive = || instances.iter().filter(|instance| instance.is_alive());
    let newest = alive().map(|instance| instance.generation).max().unwrap_or(0);
    let interrupted = !alive().any(|it| it.generation == newest && it.serving);
    let (resumed, replaced): (Vec<_>, Vec<_>) =
        alive().partition(|it| interrupted && it.generation == newest && wanted.can_resume(it));
    let begin = wanted.services.iter().map(|service| wanted.begin(service, &resumed, &replaced));
    let carry = wanted.services.iter().filter_map(|service| wanted.carry_over(service, &replaced));
    let carry: Vec<_> = carry.collect();
    let seed = wanted.services.iter().filter_map(|service| wanted.seed(service, &carry, &replaced));
    let allocate = wanted.services.iter().filter_map(|service| wanted.allocate(service));
    let begin = wanted.setup.iter().cloned().chain(allocate).chain(begin).chain(seed);
    let address = wanted.services.iter();
    let address = address.filter_map(|it| wanted.move_address(it, &resumed, &replaced));
    let terminate = replaced.iter().map(|instance| wanted.terminate(instance, &carry));
    let operations = if wanted.terminate_first {
        terminate.chain(begin).chain(address).collect()
    } else {
        begin.chain(carry.clone()).chain(address).chain(terminate).collect()
    };
    let used = instances.iter().map(|instance| instance.generation).max().unwrap_or(0);
    let generation = if resumed.is_empty() { now.max(used.saturating_add(1)) } else { newest };
    LaunchPlan { generation, operations }
}

impl LaunchSpec<'_> {
    fn can_resume(&self, instance: &Instance) -> bool {
        matches!(instance.state, InstanceState::Pending | InstanceState::Running)
            && instance.instance_type == self.instance_type
            && instance.image == self.image
            && self.services.contains(&instance.service)
    }

    fn begin(&self, service: &str, resumed: &[&Instance], replaced: &[&Instance]) -> Operation {
        if let Some(instance) = resumed.iter().find(|it| it.service == service) {
            let action = Action::Resume { instance: Box::new((*instance).clone()) };
            return Operation::new(service, action, "its launch was interrupted");
        }
        let is_running = replaced.iter().any(|it| it.service == service);
        let reason = if is_running { "`up` replaces hosts" } else { "there is no host" };
        let (instance_type, image) = (self.instance_type.into(), self.image.into());
        Operation::new(service, Action::Launch { instance_type, image }, reason)
    }

    /// The Elastic IP address of a service, if it is to have one and has.
    fn address(&self, service: &str) -> Option<&ElasticIp> {
        ElasticIp::of_service(self.addresses?, service)
    }

    fn allocate(&self, service: &str) -> Option<Operation> {
        let is_missing = self.addresses.is_some() && self.address(service).is_none();
        let reason = "the service keeps it from launch to launch";
        is_missing.then(|| Operation::new(service, Action::AllocateAddress, reason))
    }

    /// An address points to the old host until the new one serves, if the old one does.
    fn move_address(
        &self,
        service: &str,
        resumed: &[&Instance],
        replaced: &[&Instance],
    ) -> Option<Operation> {
        let ElasticIp { address, instance, .. } = self.address(service)?;
        let points_to = |it: &&&Instance| Some(&it.id) == instance.as_ref();
        if resumed.iter().any(|it| points_to(&it) && it.service == service) {
            return None;
        }
        let serves = replaced.iter().find(points_to).filter(|it| it.serving && it.is_running());
        let from = serves.filter(|_| !self.terminate_first).map(|it| Box::new((*it).clone()));
        let reason = match &from {
            Some(old) => format!("the new host takes it over from {}", old.id),
            None => match instance {
                Some(other) => format!("it points to {other}, and the new host gets it"),
                None => "the new host gets it".into(),
            },
        };
        let action = Action::MoveAddress { address: *address, from };
        Some(Operation::new(service, action, reason))
    }

    /// Data are carried over from the newest instance that has served.
    fn carry_over(&self, service: &str, replaced: &[&Instance]) -> Option<Operation> {
        if self.has_database(service) {
            return None;
        }
        let served = replaced.iter().filter(|it| it.serving && it.service == service);
        let newest = served.max_by_key(|it| it.generation).filter(|_| !self.fresh)?;
        let from = Box::new((*newest).clone());
        let action = Action::CarryOver { from, resources: None };
        Some(Operation::new(service, action, "the new host gets the data of the old one"))
    }

    fn has_database(&self, service: &str) -> bool {
        self.databases.iter().any(|it| it == service)
    }

    /// Whether the new host of its service uses the database that an instance has used.
    fn is_shared(&self, instance: &Instance) -> bool {
        instance.in_database && self.has_database(&instance.service)
    }

    /// A service that gets the data of an old host, or whose database the old one has used, is not
    /// seeded.
    fn seed(
        &self,
        service: &str,
        carried: &[Operation],
        replaced: &[&Instance],
    ) -> Option<Operation> {
        let is_carried = carried.iter().any(|it| it.is_of(service))
            || replaced.iter().any(|it| it.service == service && it.serving && self.is_shared(it));
        let fixtures = self.fixtures.get(service).copied().unwrap_or(0);
        Operation::seed(service, if is_carried { 0 } else { fixtures })
    }

    fn terminate(&self, instance: &Instance, carried: &[Operation]) -> Operation {
        let is_carried = carried.iter().any(|it| it.is_of(&instance.service));
        let reason = match (instance.serving, self.services.contains(&instance.service)) {
            (_, false) => "the stack has no such service",
            (true, true) => "the new host replaces it",
            (false, true) => "its launch was interrupted and cannot be resumed",
        };
        let action = Action::Terminate {
            instance: Box::new(instance.clone()),
            // One that never served holds no data; older ones of a service hold older data.
            loses_data: instance.serving && !is_carried && !self.is_shared(instance),
            resources: None,
        };
        Operation::new(&instance.service, action, reason)
    }
}

impl LaunchPlan {
    /// The interrupted instance that is resumed for a service.
    pub fn resumed(&self, service: &str) -> Option<&Instance> {
        self.operations.iter().find_map(|operation| match &operation.action {
            Action::Resume { instance } if operation.is_of(service) => Some(&**instance),
            _ => None,
        })
    }

    /// The instance whose data a service's new host gets.
    pub fn source(&self, service: &str) -> Option<&Instance> {
        self.operations.iter().find_map(|operation| match &operation.action {
            Action::CarryOver { from, .. } if operation.is_of(service) => Some(&**from),
            _ => None,
        })
    }

    /// The old host that serves at a service's address until the new one takes it over.
    pub fn address_holder(&self, service: &str) -> Option<&Instance> {
        self.operations.iter().find_map(|operation| match &operation.action {
            Action::MoveAddress { from, .. } if operation.is_of(service) => from.as_deref(),
            _ => None,
        })
    }

    /// Whether a service is seeded.
    pub fn seeds(&self, service: &str) -> bool {
        let seeds = |it: &Operation| it.is_of(service) && matches!(it.action, Action::Seed { .. });
        self.operations.iter().any(seeds)
    }

    /// The instances that are terminated.
    pub fn terminated(&self) -> Vec<Instance> {
        let terminated = self.operations.iter().filter_map(|operation| match &operation.action {
            Action::Terminate { instance, .. } => Some((**instance).clone()),
            _ => None,
        });
        terminated.collect()
    }

    /// Which data are lost, as a sentence; `None` if none are.
    pub fn loss(&self) -> Option<String> {
        let lost = self.operations.iter().filter(|operation| operation.loses_data());
        let hosts: Vec<_> = lost
            .filter_map(|it| Some(format!("{} ({})", it.action.target(), it.service.as_ref()?)))
            .collect();
        let hosts = Some(hosts.join(" and ")).filter(|hosts| !hosts.is_empty())?;
        Some(format!("{hosts} will be terminated, and the data on them will be lost."))
    }
}

#[cfg(test)]
mod tests;
