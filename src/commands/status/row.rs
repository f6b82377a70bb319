//! A row of `eventpost status` for hosts.

use std::net::IpAddr;
use std::time::Duration;

use ec2::{ElasticIp, GroupState, Instance};
use serde::Serialize;
use support::wait::{in_words, unix_seconds};

use super::Health;
use crate::config::{Access, Config, PublicAddress, Service};
use crate::health::About;
use crate::plan::price;
use crate::report::{Cell, Table};

/// A service on a host.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    pub(super) service: String,
    pub(super) health: Health,
    pub(super) instance: Option<String>,
    instance_type: Option<String>,
    state: Option<String>,
    pub(super) address: Option<IpAddr>,
    dns: Option<String>,
    launched: Option<u64>,
    age_seconds: Option<u64>,
    /// When it terminates itself, in seconds since 1970.
    expires: Option<u64>,
    left_seconds: Option<u64>,
    /// What it has cost since it was launched, in USD, and what it will cost until it expires.
    spent: Option<f64>,
    to_spend: Option<f64>,
    pub(super) container: Option<String>,
    pub(super) image: Option<String>,
    resources: Option<u64>,
    /// What holds its data: `sqlite` on its host, or `postgresql`.
    storage: Option<String>,
    mail: Option<String>,
    /// When the certificate of its name expires.
    certificate_expires: Option<String>,
    pub(super) drift: Vec<String>,
    problem: Option<String>,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &[
        "SERVICE",
        "HEALTH",
        "INSTANCE",
        "TYPE",
        "STATE",
        "ADDRESS",
        "AGE",
        "EXPIRES IN",
        "SPENT",
        "CONTAINER",
        "IMAGE",
        "RESOURCES",
        "STORAGE",
        "MAIL",
        "CERTIFICATE UNTIL",
        "DRIFT",
        "PROBLEM",
    ];

    fn cells(&self) -> Vec<Cell> {
        let drift = Some(self.drift.join("; ")).filter(|drift| !drift.is_empty());
        vec![
            Cell::text(Some(&self.service)),
            self.health.cell(),
            Cell::text(self.instance.as_ref()),
            Cell::text(self.instance_type.as_ref()),
            Cell::text(self.state.as_ref()),
            Cell::text(self.address),
            Cell::text(self.age_seconds.map(Duration::from_secs).map(in_words)),
            Cell::text(self.left_seconds.map(Duration::from_secs).map(in_words)),
            Cell::text(self.money()),
            Cell::text(self.container.as_ref()),
            Cell::text(self.image.as_ref()),
            Cell::text(self.resources),
            Cell::text(self.storage.as_ref()),
            Cell::text(self.mail.as_ref()),
            Cell::text(self.certificate_expires.as_ref()),
            Cell::text(drift),
            Cell::text(self.problem.as_ref()),
        ]
    }
}

impl Row {
    /// A service of which nothing is known yet.
    pub(super) fn of_service(service: &Service) -> Self {
        Self { service: service.name.to_string(), ..Self::default() }
    }

    /// A service on an instance, as EC2 describes it.
    pub(super) fn of_instance(instance: &Instance) -> Self {
        let now = unix_seconds();
        let age = now.saturating_sub(instance.launched);
        let left = instance.expires.map(|expires| expires.saturating_sub(now));
        // EC2 bills by the second.
        let hours = |seconds: u64| Duration::from_secs(seconds).as_secs_f64() / 3600.0;
        let cost = |seconds: u64| Some(price::hourly(&instance.instance_type)? * hours(seconds));
        Self {
            service: instance.service.clone(),
            instance: Some(instance.id.clone()),
            instance_type: Some(instance.instance_type.clone()),
            state: Some(instance.state.to_string()),
            address: instance.address,
            dns: instance.dns.clone(),
            launched: Some(instance.launched),
            age_seconds: Some(age),
            expires: instance.expires,
            left_seconds: left,
            spent: cost(age),
            to_spend: left.and_then(cost),
            ..Self::default()
        }
    }

    /// An instance of a service that the stack does not have.
    pub(super) fn unwanted(instance: &Instance) -> Self {
        let drift = vec!["the stack has no such service".into()];
        Self { health: Health::Unwanted, drift, ..Self::of_instance(instance) }
    }

    /// Adds what a ready service reports about itself.
    pub(super) fn add(&mut self, about: About, config: &Config) {
        self.health = if about.is_read_only() { Health::ReadOnly } else { Health::Healthy };
        let is_open = about.is_open();
        self.check_storage(about.storage, config);
        self.resources = about.resources;
        self.mail = about.mail;
        self.certificate_expires = about.certificate_expires;
        if let Some(problem) = about.certificate_problem {
            self.add_problem(&problem);
        }
        let should_be_open = config.host_access() == Access::Open;
        if about.service.is_some() && is_open != should_be_open {
            let word = |open| if open { Access::Open } else { Access::Tokens }.as_str();
            self.drift.push(format!("access is {}, not {}", word(is_open), word(should_be_open)));
        }
    }

    /// Adds what holds the data, and that it is not what the file describes.
    fn check_storage(&mut self, storage: Option<String>, config: &Config) {
        let service = config.services.iter().find(|it| it.name.as_str() == self.service);
        if let (Some(service), Some(actual)) = (service, &storage) {
            let wanted = if service.database().is_some() { "postgresql" } else { "sqlite" };
            if actual != wanted {
                self.drift.push(format!("storage is {actual}, not {wanted}"));
            }
        }
        self.storage = storage;
    }

    /// Adds a problem after those that are known already, as one line.
    pub(super) fn add_problem(&mut self, problem: &str) {
        let line = problem.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        self.problem = Some(match self.problem.take() {
            Some(known) => format!("{known}; {line}"),
            None => line,
        });
    }

    /// What it has cost, and what it will have cost when it expires.
    fn money(&self) -> Option<String> {
        let spent = self.spent?;
        Some(match self.to_spend {
            Some(more) => format!("{spent:.2} of {:.2} USD", spent + more),
            None => format!("{spent:.2} USD"),
        })
    }
}

/// How an instance differs from what the file describes.
pub(super) fn drift(
    config: &Config,
    instance: &Instance,
    image: &str,
    group: &GroupState,
    service: &Service,
) -> Vec<String> {
    let mut drift = Vec::new();
    let (actual, wanted) = (&instance.instance_type, &config.launch.instance_type);
    if actual != wanted {
        drift.push(format!("type is {actual}, not {wanted}"));
    }
    if instance.image != image {
        drift.push(format!("booted {}, not {image}", instance.image));
    }
    let name = config.security_group.name.as_str();
    match group {
        GroupState::NoVpc => drift.push("there is no default VPC".into()),
        GroupState::Missing => drift.push("its security group is gone".into()),
        GroupState::Foreign { id } => {
            drift.push(format!("the security group {id}, `{name}`, is not this stack's"));
        }
        GroupState::Usable { closed, .. } => {
            let needed = service.public_ports();
            let own = closed.iter().filter(|port| **port == 22 || needed.contains(port));
            drift.extend(own.map(|port| format!("port {port} is closed")));
        }
    }
    drift
}

/// How the address of an instance differs from what the file describes; `elastic` is the Elastic IP
/// address of its service.
pub(super) fn address_drift(
    wanted: PublicAddress,
    elastic: Option<&ElasticIp>,
    id: &str,
) -> Option<String> {
    match (wanted, elastic) {
        (PublicAddress::Auto, None) => None,
        (PublicAddress::Auto, Some(ElasticIp { address, .. })) => {
            Some(format!("{address} is an Elastic IP address, and the file says `address: auto`"))
        }
        (PublicAddress::Elastic, None) => {
            Some("its address ends with the host: `eventpost up` gives it one that stays".into())
        }
        (PublicAddress::Elastic, Some(ElasticIp { address, instance, .. })) => {
            let actual = instance.as_deref().unwrap_or("no host");
            (actual != id)
                .then(|| format!("{address} points to {actual}: `eventpost deploy` moves it here"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::accepted;

    #[test]
    fn storage_other_than_described_is_drift() {
        let files = accepted("stack: s\nservices: {e: {build: e}}");
        let database = accepted("stack: s\ndatabase: {url_file: url}\nservices: {e: {build: e}}");
        for (config, storage, drift) in [
            (&files, "sqlite", None),
            (&files, "postgresql", Some("storage is postgresql, not sqlite")),
            (&database, "postgresql", None),
            (&database, "sqlite", Some("storage is sqlite, not postgresql")),
        ] {
            let mut row = Row::of_service(&config.services[0]);
            row.check_storage(Some(storage.into()), config);
            assert_eq!(row.drift, Vec::from_iter(drift));
        }
    }

    #[test]
    fn an_address_that_points_elsewhere_is_drift() {
        let address = |instance: Option<&str>| ElasticIp {
            id: "eipalloc-1".into(),
            address: "203.0.113.7".parse().unwrap(),
            service: "e".into(),
            instance: instance.map(String::from),
        };
        let (auto, elastic) = (PublicAddress::Auto, PublicAddress::Elastic);
        for (wanted, actual, drift) in [
            (auto, None, None),
            (elastic, Some(address(Some("i-1"))), None),
            (elastic, Some(address(Some("i-2"))), Some("203.0.113.7 points to i-2")),
            (elastic, Some(address(None)), Some("203.0.113.7 points to no host")),
            (elastic, None, Some("its address ends with the host")),
            (auto, Some(address(Some("i-1"))), Some("203.0.113.7 is an Elastic IP address")),
        ] {
            let found = address_drift(wanted, actual.as_ref(), "i-1");
            assert_eq!(found.is_some(), drift.is_some(), "{found:?}");
            assert!(drift.is_none_or(|part| found.as_ref().unwrap().contains(part)), "{found:?}");
        }
    }

    #[test]
    fn a_problem_leaves_those_that_are_known_already() {
        let mut row = Row::default();
        row.add_problem("/readyz answers 503");
        row.add_problem("inspecting failed; its last output:\n  no answer");
        let both = "/readyz answers 503; inspecting failed; its last output: no answer";
        assert_eq!(row.problem.as_deref(), Some(both));
    }
}
