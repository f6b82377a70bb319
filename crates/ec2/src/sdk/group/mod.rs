//! Decides which security group a stack uses, and which rules that group lacks.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use aws_sdk_ec2::types::{IpPermission, IpRange, SecurityGroup as SdkGroup};

use super::tags;
use crate::error::AccountError;
use crate::model::{GroupName, GroupSpec, GroupState, GroupStep, Ingress};

const EVERYBODY: &str = "0.0.0.0/0";
const SSH: u16 = 22;

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    id: String,
    name: String,
    vpc: String,
    /// The stack that its tag names.
    stack: Option<String>,
    rules: Vec<Rule>,
}

/// TCP ports that a group opens, and who may connect to them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    ports: RangeInclusive<u16>,
    from: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Network(Network),
    /// A managed prefix list, whose networks only its owner can list.
    List,
}

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: u32,
    bits: u32,
}

/// The group of the wanted name, by its relation to the stack.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GroupMatch {
    /// There is none.
    Missing,
    /// The stack created it.
    Own(Group),
    /// The file names it; somebody else may have created it.
    Named(Group),
    /// Somebody else created it, and it has the stack's name by chance.
    Foreign(Group),
}

impl GroupMatch {
    /// Selects the group. EC2's filters match wildcards, so names are compared here.
    pub(super) fn among(groups: Vec<Group>, name: &GroupName, vpc: &str, stack: &str) -> Self {
        let wanted = |group: &Group| group.name == name.as_str() && group.vpc == vpc;
        let Some(group) = groups.into_iter().find(wanted) else { return Self::Missing };
        match name {
            _ if group.stack.as_deref() == Some(stack) => Self::Own(group),
            GroupName::Configured(_) => Self::Named(group),
            GroupName::Default(_) => Self::Foreign(group),
        }
    }

    /// How `up` gets a group with all rules that it needs.
    pub(super) fn step(
        self,
        spec: &GroupSpec,
        ssh: &str,
        region: &str,
    ) -> Result<GroupStep, AccountError> {
        match self {
            Self::Missing => Ok(GroupStep::Create),
            Self::Own(group) => {
                let mut missing = wanted(spec, ssh);
                missing.retain(|rule| !group.rules.iter().any(|has| has.covers(rule)));
                Ok(GroupStep::Open { id: group.id, missing })
            }
            Self::Named(group) => {
                let mut missing = needed(spec, ssh);
                missing.retain(|rule| !group.rules.iter().any(|has| has.may_cover(rule)));
                if missing.is_empty() {
                    return Ok(GroupStep::Use { id: group.id });
                }
                let Group { id, name, .. } = group;
                Err(AccountError::ClosedGroup { region: region.into(), id, name, missing })
            }
            Self::Foreign(group) => Err(AccountError::ForeignGroup {
                region: region.into(),
                id: group.id,
                vpc: group.vpc,
                name: group.name,
                stack: spec.stack.clone(),
            }),
        }
    }

    /// The group as others see it.
    pub(super) fn state(self, spec: &GroupSpec) -> GroupState {
        let (group, own) = match self {
            Self::Missing => return GroupState::Missing,
            Self::Foreign(group) => return GroupState::Foreign { id: group.id },
            Self::Own(group) => (group, true),
            Self::Named(group) => (group, false),
        };
        let ports = spec.ports.iter().copied().chain([SSH]);
        let open = |port: &u16| group.rules.iter().any(|rule| rule.ports.contains(port));
        let closed = ports.filter(|port| !open(port)).collect();
        GroupState::Usable { id: group.id, own, closed }
    }
}

/// The rules of a group that the stack creates.
pub(super) fn wanted(spec: &GroupSpec, ssh: &str) -> Vec<Ingress> {
    let ports = spec.ports.iter().copied().chain([80, 443]);
    let web = ports.map(|port| Ingress { port, from: EVERYBODY.into() });
    sorted(web.chain([Ingress { port: SSH, from: ssh.into() }]))
}

/// The rules without which `up` fails: it connects to the hosts by SSH, and checks and seeds the
/// services at their ports.
fn needed(spec: &GroupSpec, ssh: &str) -> Vec<Ingress> {
    let ports = spec.ports.iter().copied().chain([SSH]);
    sorted(ports.map(|port| Ingress { port, from: ssh.into() }))
}

fn sorted(rules: impl Iterator<Item = Ingress>) -> Vec<Ingress> {
    let mut rules: Vec<_> = rules.collect();
    rules.sort();
    rules.dedup();
    rules
}

impl Group {
    pub(super) fn of(group: &SdkGroup) -> Option<Self> {
        Some(Self {
            id: group.group_id()?.into(),
            name: group.group_name()?.into(),
            vpc: group.vpc_id()?.into(),
            stack: tags::value(group.tags(), tags::STACK).map(String::from),
            rules: group.ip_permissions().iter().flat_map(Rule::of).collect(),
        })
    }
}

impl Rule {
    /// The rules of a permission, one for each network. Other groups are left out, because EC2
    /// knows their members by private addresses only.
    fn of(permission: &IpPermission) -> Vec<Self> {
        let port = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
        let ports = match permission.ip_protocol() {
            Some("-1") => Some(0..=u16::MAX),
            Some("tcp" | "6") => {
                let (first, last) = (port(permission.from_port()), port(permission.to_port()));
                first.zip(last).map(|(first, last)| first..=last)
            }
            _ => None,
        };
        let Some(ports) = ports else { return Vec::new() };
        let networks = permission.ip_ranges().iter().filter_map(IpRange::cidr_ip);
        let networks = networks.filter_map(Network::new).map(Source::Network);
        let lists = permission.prefix_list_ids().iter().map(|_| Source::List);
        networks.chain(lists).map(|from| Self { ports: ports.clone(), from }).collect()
    }

    /// Whether it allows everything that another rule does.
    fn covers(&self, rule: &Ingress) -> bool {
        let Source::Network(network) = &self.from else { return false };
        self.ports.contains(&rule.port)
            && Network::new(&rule.from).is_some_and(|other| network.contains(other))
    }

    /// Whether it may allow that, as far as can be known.
    fn may_cover(&self, rule: &Ingress) -> bool {
        self.covers(rule) || (self.from == Source::List && self.ports.contains(&rule.port))
    }
}

impl Network {
    fn new(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Self { address: address.parse::<Ipv4Addr>().ok()?.into(), bits })
    }

    fn contains(self, other: Self) -> bool {
        let differ = self.address ^ other.address;
        self.bits <= other.bits && differ.leading_zeros() >= self.bits
    }
}

#[cfg(test)]
mod tests;
