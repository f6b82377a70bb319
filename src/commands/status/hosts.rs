//! `eventpost status` for hosts: from tags, HTTP and SSH, with nothing but credentials.
//! Where a host has changed from what the file describes, that is said.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use ec2::{Ec2, GroupState};
use futures_util::future::join_all;
use serde::Serialize;
use ssh::{Identity, Target};
use support::event::{Reporter, Silence};
use support::http::{Client, Endpoint};
use support::machine::Machine;
use support::wait::{Deadline, in_words, unix_seconds};

use crate::access::Token;
use crate::cli::Status;
use crate::commands::{access, hosts};
use crate::config::{Access, Config, Placement, Service};
use crate::docker::{self, Container};
use crate::error::Error;
use crate::health::{self, About, NotReady};
use crate::local::StackFolder;
use crate::plan::price;
use crate::report::{self, Cell, Table};

/// A host that is up answers at once.
const SSH_LIMIT: Duration = Duration::from_secs(5);

/// A row of the result.
#[derive(Debug, Default, Serialize)]
struct Row {
    service: String,
    health: &'static str,
    instance: Option<String>,
    instance_type: Option<String>,
    state: Option<String>,
    address: Option<IpAddr>,
    dns: Option<String>,
    launched: Option<u64>,
    age_seconds: Option<u64>,
    /// When it ends itself, in seconds since 1970.
    ends: Option<u64>,
    left_seconds: Option<u64>,
    /// What it has cost since it was launched, in USD, and what it will until it ends.
    spent: Option<f64>,
    to_spend: Option<f64>,
    container: Option<String>,
    image: Option<String>,
    resources: Option<u64>,
    mail: Option<String>,
    drift: Vec<String>,
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
        "ENDS IN",
        "SPENT",
        "CONTAINER",
        "IMAGE",
        "RESOURCES",
        "MAIL",
        "DRIFT",
        "PROBLEM",
    ];

    fn cells(&self) -> Vec<Cell> {
        let drift = Some(self.drift.join("; ")).filter(|drift| !drift.is_empty());
        vec![
            Cell::text(Some(&self.service)),
            Cell::verdict(self.health, self.health == "healthy"),
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
            Cell::text(self.mail.as_ref()),
            Cell::text(drift),
            Cell::text(self.problem.as_ref()),
        ]
    }
}

/// What there is to look with.
#[derive(Debug, Clone, Copy)]
struct Means<'a> {
    config: &'a Config,
    identity: Option<&'a Identity>,
    token: Option<&'a Token>,
}

impl Row {
    /// Takes over what a service tells of itself.
    fn tell(&mut self, about: About, config: &Config) {
        self.health = if about.is_read_only() { "read-only" } else { "healthy" };
        let is_open = about.is_open();
        self.resources = about.resources;
        self.mail = about.mail;
        let is_wanted = config.access_at(Placement::Hosts) == Access::Open;
        if about.service.is_some() && is_open != is_wanted {
            let word = |open| if open { Access::Open } else { Access::Tokens }.as_str();
            self.drift.push(format!("access is {}, not {}", word(is_open), word(is_wanted)));
        }
    }

    /// What it has cost, and what it will have cost in the end, where it ends.
    fn money(&self) -> Option<String> {
        let spent = self.spent?;
        Some(match self.to_spend {
            Some(more) => format!("{spent:.2} of {:.2} USD", spent + more),
            None => format!("{spent:.2} USD"),
        })
    }
}

pub(super) async fn run(args: &Status, config: &Config) -> Result<ExitCode, Error> {
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    // Without a key that logs in, what needs none is told all the same.
    let identity = match &config.ssh.key {
        None if !stack.key().exists() => None,
        _ => Some(hosts::identity(config, &stack)?),
    };
    let named = hosts::named(config, &args.placement.hosts)?;
    let token = access::token_for_hosts(config, (&args.stack, &args.token))?;
    let means = Means { config, identity: identity.as_ref(), token: token.as_ref() };
    let rows = if named.is_empty() {
        ec2(means).await?
    } else {
        let looks = config.services.iter().map(|service| {
            let address = named[service.name.as_str()];
            let target = identity.as_ref();
            let target = target.map(|key| hosts::known_target(config, service, address, key));
            let row = Row { service: service.name.to_string(), ..Row::default() };
            look(row, service, Some(address), target, means)
        });
        join_all(looks).await
    };
    report::print(&rows, args.output.format)?;
    Ok(super::exit_code(rows.iter().all(|row| row.health == "healthy")))
}

async fn ec2(means: Means<'_>) -> Result<Vec<Row>, Error> {
    let Means { config, identity, .. } = means;
    let ec2 = Ec2::connect(config.region.as_deref()).await?;
    let (image, group) = (config.boot_image(), config.group());
    let (machines, image, group) = tokio::try_join!(
        ec2.machines(config.stack.as_str()),
        ec2.machine_image(&image),
        ec2.group_state(&group),
    )?;
    let alive: Vec<_> = machines.into_iter().filter(Machine::is_alive).collect();
    let mut looks = Vec::new();
    for service in &config.services {
        let of_service = |machine: &&Machine| machine.service == service.name.as_str();
        let mut mine: Vec<_> = alive.iter().filter(of_service).collect();
        // The one that serves; the others are left from a launch that was cut short.
        mine.sort_by_key(|machine| (machine.serving, machine.generation));
        let Some(machine) = mine.pop() else {
            let row = Row { service: service.name.to_string(), ..Row::default() };
            looks.push(look(row, service, None, None, means));
            continue;
        };
        let mut drift = drift(config, machine, &image.id, &group, service);
        drift.extend(mine.iter().map(|extra| format!("{} is left over", extra.id)));
        let target = identity.and_then(|key| hosts::ec2_target(config, machine, key));
        looks.push(look(row(machine, drift), service, machine.address, target, means));
    }
    let mut rows = join_all(looks).await;
    let known =
        |machine: &&Machine| config.services.iter().any(|s| s.name.as_str() == machine.service);
    rows.extend(alive.iter().filter(|machine| !known(machine)).map(|machine| Row {
        health: "unwanted",
        ..row(machine, vec!["the file has no such service".into()])
    }));
    Ok(rows)
}

fn row(machine: &Machine, drift: Vec<String>) -> Row {
    let now = unix_seconds();
    let age = now.saturating_sub(machine.launched);
    let left = machine.ends.map(|ends| ends.saturating_sub(now));
    // EC2 counts seconds.
    let hours = |seconds: u64| Duration::from_secs(seconds).as_secs_f64() / 3600.0;
    let cost = |seconds: u64| Some(price::hourly(&machine.kind)? * hours(seconds));
    Row {
        service: machine.service.clone(),
        instance: Some(machine.id.clone()),
        instance_type: Some(machine.kind.clone()),
        state: Some(machine.state.clone()),
        address: machine.address,
        dns: machine.dns.clone(),
        launched: Some(machine.launched),
        age_seconds: Some(age),
        ends: machine.ends,
        left_seconds: left,
        spent: cost(age),
        to_spend: left.and_then(cost),
        drift,
        ..Row::default()
    }
}

/// How a machine differs from what the file describes.
fn drift(
    config: &Config,
    machine: &Machine,
    image: &str,
    group: &GroupState,
    service: &Service,
) -> Vec<String> {
    let mut drift = Vec::new();
    if machine.kind != config.instance_type {
        drift.push(format!("it is a {}, not a {}", machine.kind, config.instance_type));
    }
    if machine.image != image {
        drift.push(format!("it booted {}, not {image}", machine.image));
    }
    let name = config.security_group.name.as_str();
    match group {
        GroupState::NoVpc => drift.push("there is no default VPC".into()),
        GroupState::Missing => drift.push("its security group is gone".into()),
        GroupState::Foreign { id } => {
            drift.push(format!("the security group {id}, `{name}`, is not this stack's"));
        }
        GroupState::Found { closed, .. } => {
            let mine = closed.iter().filter(|port| **port == 22 || **port == service.port);
            drift.extend(mine.map(|port| format!("port {port} is closed")));
        }
    }
    drift
}

/// Completes a row with what HTTP and SSH tell.
async fn look(
    mut row: Row,
    service: &Service,
    address: Option<IpAddr>,
    target: Option<Target>,
    means: Means<'_>,
) -> Row {
    let Some(address) = address else {
        row.health = "missing";
        row.problem = Some("there is no host: `eventpost up` launches one".into());
        return row;
    };
    row.address = Some(address);
    let endpoint = Endpoint::at((address, service.port).into());
    let name = service.name.as_str();
    let outside = Client::from(endpoint.clone());
    let inside = async { Some(look_inside(&target?, service, endpoint, means.token).await) };
    let (checked, inside) = tokio::join!(health::check(name, &outside, &service.health), inside);
    let inside = inside.unwrap_or_default();
    match (checked, inside.details) {
        (Ok(ready), None) => row.tell(ready.about, means.config),
        (Ok(_), Some(Ok(details))) => row.tell(details, means.config),
        (Ok(ready), Some(Err(problem))) => {
            row.tell(ready.about, means.config);
            row.problem = Some(problem.to_string());
        }
        (Err(problem), _) => {
            row.health = "unhealthy";
            row.problem = Some(problem.to_string());
        }
    }
    if let Some(container) = inside.container {
        row.container = Some(container.state);
        row.image = Some(container.image);
    }
    row
}

/// What a host tells those who may log in.
#[derive(Default)]
struct Inside {
    container: Option<Container>,
    /// What the service tells only those with a token.
    details: Option<Result<About, NotReady>>,
}

async fn look_inside(
    target: &Target,
    service: &Service,
    endpoint: Endpoint,
    token: Option<&Token>,
) -> Inside {
    let name = service.name.as_str();
    let silence = Silence;
    let reporter = Reporter::new(&silence, name);
    let host = ssh::connect(target, Deadline::after(SSH_LIMIT), reporter).await;
    let Ok(host) = host else { return Inside::default() };
    let container = docker::inspect(&host, service).await.ok().flatten();
    let Some(token) = token else { return Inside { container, details: None } };
    let client = Client::through(host.port(service.port), endpoint, Some(token.clone()));
    let details = health::check(name, &client, &service.health).await;
    Inside { container, details: Some(details.map(|ready| ready.about)) }
}
