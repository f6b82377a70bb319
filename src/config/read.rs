//! Defines what each key means and validates its value.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use ec2::{GroupName, Image, SshFrom};
use serde_yaml::Value;
use support::yaml::{Problems, Section, kind};

use super::Origin;
use super::access;
use super::database::{self, database};
use super::launch::{launch, tags, word};
use super::limits::{self, limits};
use super::mail::mail;
use super::model::{
    Access, Config, DockerSource, Name, PublicAddress, SecurityGroup, Service, Source, Ssh,
};
use super::page::{self, page};
use super::publish::bind;
use super::reminders;
use super::tls::{self, acme, tls};

/// Why each service runs once, and what to do if that is not enough.
const REPLICAS: &str = "must be 1: eventpost runs one host per service. Choose a larger \
    `instance_type` for more load";

/// Reads the whole file.
pub(super) fn config(root: &Value, origin: &Origin, problems: &Problems) -> Option<Config> {
    let mut top = Section::new(root, Vec::new(), problems);
    let stack = top.required("stack", |top| top.parsed("stack", Name::new, Name::FORM));
    let region = top.parsed("region", region, "a region, like us-east-1");
    let launch = launch(&mut top);
    let tags = top.section("tags").map(tags).unwrap_or_default();
    let image = top.parsed("image", Image::new, Image::FORM).unwrap_or_default();
    let address = top.parsed("address", PublicAddress::new, "auto or elastic");
    let ssh = top.section("ssh").map(ssh).unwrap_or_default();
    let group = top.section("security_group");
    let group = group.and_then(|section| security_group(section, stack.as_ref()));
    let docker = top.section("docker").and_then(docker);
    let access = top.parsed("access", Access::new, "tokens or open");
    let hosts = top.section("hosts").map(|section| hosts(section, &names(root.get("services"))));
    let base = origin.base();
    let shared = top.section("database").and_then(|section| database(section, base));
    let reminders = reminders::shared(&mut top, base);
    let acme = top.section("acme").map(|section| acme(section, base)).unwrap_or_default();
    let shared_limits = top.section("limits").map(limits).unwrap_or_default();
    let services =
        |top: &mut Section<'_>| top.section("services").map(|section| services(section, base));
    let mut services = top.required("services", services);
    if address == Some(PublicAddress::Elastic) && hosts.is_some() {
        top.problem("address", "is for hosts on EC2, and `hosts` names existing ones: remove one");
    }
    top.finish();
    if let Some(shared) = shared {
        for service in services.iter_mut().flatten().filter(|it| it.database().is_none()) {
            shared.clone().give_to(service);
        }
    }
    for service in services.iter_mut().flatten() {
        shared_limits.clone().give_to(service);
        acme.give_to(service);
    }
    if let Some(services) = &mut services {
        let value = root.get("services").unwrap_or(&Value::Null);
        let section = Section::new(value, vec!["services".into()], problems);
        reminders::check(&reminders, services, |service, message| {
            section.problem(service.name.as_str(), message);
        });
        reminders.give_to(services);
    }
    if let (Some(services), Some(hosts)) = (&services, &hosts) {
        check_ports(services, hosts, |service, message| {
            let value = root.get("hosts").unwrap_or(&Value::Null);
            let section = Section::new(value, vec!["hosts".into()], problems);
            section.problem(service, message);
        });
    }
    let stack = stack?;
    Some(Config {
        origin: origin.clone(),
        region,
        launch,
        tags,
        address: address.unwrap_or(PublicAddress::Auto),
        ssh: Ssh { user: ssh.0.unwrap_or_else(|| image.user().into()), key: ssh.1 },
        image,
        security_group: group.unwrap_or_else(|| security_group_of(&stack, None, None)),
        docker: docker.unwrap_or(DockerSource::Distro),
        access,
        open_relay: None,
        hosts: hosts.unwrap_or_default(),
        stack,
        services: services?,
    })
}

/// The user and the key, if the file names them.
fn ssh(mut section: Section<'_>) -> (Option<String>, Option<PathBuf>) {
    let user = section.parsed("user", word, "a user's name");
    let key = section.text("key").map(PathBuf::from);
    section.finish();
    (user, key)
}

fn security_group(mut section: Section<'_>, stack: Option<&Name>) -> Option<SecurityGroup> {
    let name = section.parsed("name", group_name, "1 to 255 characters that do not begin with sg-");
    let ssh_from = section.parsed("ssh_from", ssh_from, "`auto` or a network, like 203.0.113.0/24");
    section.finish();
    Some(security_group_of(stack?, name, ssh_from))
}

/// Without a name, the group has the stack's.
fn security_group_of(
    stack: &Name,
    name: Option<String>,
    ssh_from: Option<SshFrom>,
) -> SecurityGroup {
    SecurityGroup {
        name: name.map_or_else(|| GroupName::Default(stack.to_string()), GroupName::Configured),
        ssh_from: ssh_from.unwrap_or(SshFrom::Auto),
    }
}

fn docker(mut section: Section<'_>) -> Option<DockerSource> {
    let source = section.parsed("source", DockerSource::new, "distro, docker-ce or present");
    section.finish();
    source
}

/// Reports services of one host that want the same port.
fn check_ports(
    services: &[Service],
    hosts: &BTreeMap<String, IpAddr>,
    mut problem: impl FnMut(&str, String),
) {
    let mut taken = BTreeMap::new();
    for service in services {
        let Some(address) = hosts.get(service.name.as_str()) else { continue };
        for port in service.ports() {
            if let Some(other) = taken.insert((*address, port), &service.name)
                && *other != service.name
            {
                let message = format!("wants port {port} of {address}, which {other} has");
                problem(service.name.as_str(), message);
            }
        }
    }
}

/// The keys of a mapping, valid or not.
fn names(mapping: Option<&Value>) -> Vec<&str> {
    let mapping = mapping.and_then(Value::as_mapping);
    mapping.into_iter().flatten().filter_map(|(key, _)| key.as_str()).collect()
}

/// The addresses of existing hosts: one for each service.
fn hosts(mut section: Section<'_>, services: &[&str]) -> BTreeMap<String, IpAddr> {
    let (mut hosts, entries) = (BTreeMap::new(), section.entries());
    let has_entry = |service: &&&str| entries.iter().any(|(key, _)| key == **service);
    for missing in services.iter().filter(|it| !has_entry(it)) {
        section.own_problem(format!("there is no address for {missing}"));
    }
    for (service, value) in entries {
        if !services.contains(&service.as_str()) {
            section.problem(&service, "there is no such service under `services`");
        }
        let found = value.as_str().map_or_else(|| kind(value).into(), |text| format!("`{text}`"));
        match value.as_str().and_then(|text| text.parse().ok()) {
            Some(address) => drop(hosts.insert(service, address)),
            None => section.problem(&service, format!("must be an IP address, not {found}")),
        }
    }
    hosts
}

fn services(mut section: Section<'_>, base: &Path) -> Vec<Service> {
    let entries = section.entries();
    if section.is_mapping() && entries.is_empty() {
        section.own_problem("must have at least one service");
    }
    let read = |(key, value): (String, &Value)| {
        let name = Name::new(&key);
        if name.is_none() {
            section.problem(&key, format!("a service's name must be {}", Name::FORM));
        }
        let section = Section::new(value, section.path_of(&key), section.problems());
        service(section, name?, base)
    };
    let services: Vec<_> = entries.into_iter().filter_map(read).collect();
    page::check(&services, |service, message| {
        section.problem(service.name.as_str(), format!("page: {message}"));
    });
    access::check(&services, |service, message| {
        section.problem(service.name.as_str(), message);
    });
    database::check(&services, |service, message| {
        section.problem(service.name.as_str(), message);
    });
    services
}

fn service(mut section: Section<'_>, name: Name, base: &Path) -> Option<Service> {
    let build = section.text("build").map(|path| Source::Build(path.into()));
    let image = section.text("image").map(|image| Source::Image(image.into()));
    if section.is_mapping() && build.is_some() == image.is_some() {
        let found = if build.is_some() { "has both" } else { "has neither" };
        section.own_problem(format!("needs either `build` or `image`, and {found}"));
    }
    let port = section.port("port");
    let bind = bind(&mut section);
    let tls = tls(&mut section, base);
    let health = section.parsed("health", path, "a path that begins with /");
    let fixtures = section.text("fixtures").map(PathBuf::from);
    let mut env = section.section("env").map(env).unwrap_or_default();
    limits::check_env(&section, &env);
    let mail = section.section("mail").map(|section| mail(section, base));
    let mut secrets = Vec::new();
    if let Some(mail) = mail {
        if let Some(twice) = mail.env.keys().find(|name| env.contains_key(*name)) {
            section.problem("env", format!("has {twice}, which `mail` sets"));
        }
        env.extend(mail.env);
        secrets = mail.secrets;
    }
    let database = section.section("database").and_then(|section| database(section, base));
    let limits = section.section("limits").map(limits).unwrap_or_default();
    let page = section.section("page").and_then(page);
    let volume = section.parsed("volume", Name::new, Name::FORM);
    if section.whole("replicas", 1..=1000).is_some_and(|replicas| replicas > 1) {
        section.problem("replicas", REPLICAS);
    }
    let Some(source) = build.or(image) else {
        section.finish();
        return None;
    };
    let mut service = Service {
        source,
        port: port.unwrap_or(if tls.is_some() { 8080 } else { 80 }),
        bind,
        tls,
        health: health.unwrap_or_else(|| "/readyz".into()),
        fixtures,
        env,
        secrets,
        page,
        volume: volume.or_else(|| Name::new(&format!("{name}-data"))).unwrap_or(name.clone()),
        name,
    };
    tls::check(&service, &section);
    section.finish();
    if let Some(database) = database {
        database.give_to(&mut service);
    }
    limits.give_to(&mut service);
    Some(service)
}

fn env(mut section: Section<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (name, value) in section.entries() {
        let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(letters) {
            section.problem(&name, "a variable's name must be letters, digits and underscores");
        }
        // Numbers and booleans are written without quotes more often than not.
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        };
        match text {
            // Docker reads variables from a file with one on each line.
            Some(text) if text.contains(['\n', '\r', '\0']) => {
                section.problem(&name, "must be one line");
            }
            Some(text) => drop(env.insert(name, text)),
            None => section.problem(&name, format!("must be a string, not {}", kind(value))),
        }
    }
    env
}

fn region(text: &str) -> Option<String> {
    word(text).filter(|_| text.split('-').count() >= 3)
}

fn group_name(text: &str) -> Option<String> {
    let valid = (1..=255).contains(&text.chars().count()) && !text.starts_with("sg-");
    valid.then(|| text.into())
}

fn ssh_from(text: &str) -> Option<SshFrom> {
    if text == "auto" {
        return Some(SshFrom::Auto);
    }
    let (address, bits) = text.split_once('/')?;
    let valid = address.parse::<Ipv4Addr>().is_ok() && bits.parse::<u8>().is_ok_and(|n| n <= 32);
    valid.then(|| SshFrom::Network(text.into()))
}

fn path(text: &str) -> Option<String> {
    let valid = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic());
    valid.then(|| text.into())
}
