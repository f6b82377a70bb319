//! The validated description of a deployment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use support::yaml::Located;

use super::Origin;

/// A deployment: what runs where.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the description came from.
    pub origin: Origin,
    /// What everything of this deployment is named and tagged with.
    pub stack: Name,
    /// The AWS region; none leaves it to AWS's own settings.
    pub region: Option<String>,
    /// The EC2 instance type of each host.
    pub instance_type: String,
    /// What the hosts boot.
    pub image: Image,
    /// How hosts are logged in to.
    pub ssh: Ssh,
    /// Who may connect to the hosts.
    pub security_group: SecurityGroup,
    /// Where Docker comes from.
    pub docker: DockerSource,
    /// Who may use the services; none leaves it to where they run.
    pub access: Option<Access>,
    /// Why this must not run on hosts, with its line.
    pub(super) open_relay: Option<Located>,
    /// Machines that exist already, by service; with them, no EC2.
    pub hosts: BTreeMap<String, String>,
    /// The services, in the order of the file; at least one.
    pub services: Vec<Service>,
}

/// A name that fits into file names, tags, container names and paths: lowercase
/// letters, digits and hyphens, beginning with a letter, at most 32 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// The image of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// The newest image of Canonical's for Ubuntu 18.04.
    Ubuntu1804,
    /// An image by its id.
    Ami(String),
}

/// How hosts are logged in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The user.
    pub user: String,
    /// The private key; none has one made for the stack.
    pub key: Option<PathBuf>,
}

/// Who may use the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody reads events; everything else needs a token.
    Tokens,
    /// Everybody may do everything.
    Open,
}

/// Where the services run, as far as it matters to access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement<'a> {
    /// On this machine, reached by loopback alone; the file of the list of tokens.
    Local(&'a Path),
    /// On hosts that others can reach.
    Hosts,
}

/// Where a host's Docker comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DockerSource {
    /// The distribution's package.
    Distro,
    /// Docker's own repository.
    DockerCe,
    /// It is there already.
    Present,
}

/// Who may connect to the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// The group's name, and who chose it.
    pub name: GroupName,
    /// Who may connect by SSH.
    pub ssh_from: SshFrom,
}

/// The name of the hosts' security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupName {
    /// The stack's name, since the file names no group: only a group that the stack made
    /// itself is used.
    Default(Name),
    /// The name that the file gives: a group that exists is used, whoever made it.
    Given(String),
}

/// Who may connect by SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshFrom {
    /// The address that this machine is seen with.
    Auto,
    /// An IPv4 network, as in `203.0.113.0/24`.
    Network(String),
}

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name, which is also the path of its collection.
    pub name: Name,
    /// Where its program comes from.
    pub source: Source,
    /// The port of the host that it answers on.
    pub port: u16,
    /// The path that answers 200 once it can work.
    pub health: String,
    /// The file of its seed data.
    pub fixtures: Option<PathBuf>,
    /// Variables of its environment; none of them is a secret.
    pub env: BTreeMap<String, String>,
    /// Files that it is given, and what nobody else may read.
    pub secrets: Vec<Secret>,
    /// The page for people that it has.
    pub page: Option<Page>,
    /// The volume that keeps its data.
    pub volume: Name,
}

/// A page for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where its reminders are made.
    pub reminders: Reminders,
    /// Where it is opened besides at its service's host, as in `https://events.example.org`.
    pub origin: Option<String>,
}

/// Where reminders are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reminders {
    /// At a service of this deployment.
    Service(Name),
    /// Where browsers find what is none of it.
    Url(String),
}

/// A file that a service is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What the file is called where the service finds it.
    pub name: &'static str,
    /// The variable that tells the service where that is.
    pub variable: &'static str,
    /// Where it is on this machine.
    pub file: PathBuf,
}

/// Where a service's program comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A Rust package in this folder, relative to the file that names it.
    Build(PathBuf),
    /// A container image in a registry.
    Image(String),
}

impl Name {
    /// What a name must look like.
    pub(crate) const FORM: &str =
        "lowercase letters, digits and hyphens, a letter first, at most 32 in all";

    /// The name, where the text can be one.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let valid = text.len() <= 32
            && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && text.bytes().all(allowed);
        valid.then(|| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::new(text).ok_or_else(|| format!("a name must be {}", Self::FORM))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl GroupName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Default(stack) => stack.as_str(),
            Self::Given(name) => name,
        }
    }
}

impl Access {
    /// The access that the text names.
    pub fn new(text: &str) -> Option<Self> {
        [Self::Tokens, Self::Open].into_iter().find(|one| one.as_str() == text)
    }

    /// The word for it, in the file and to the services.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Open => "open",
        }
    }
}

impl DockerSource {
    /// The source, where the text names one.
    pub fn new(text: &str) -> Option<Self> {
        [Self::Distro, Self::DockerCe, Self::Present].into_iter().find(|one| one.as_str() == text)
    }

    /// The word for it in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Distro => "distro",
            Self::DockerCe => "docker-ce",
            Self::Present => "present",
        }
    }
}

impl Service {
    /// Its environment, where it finds each secret at a path.
    pub fn env_with(&self, path: impl Fn(&Secret) -> String) -> BTreeMap<String, String> {
        let secrets = self.secrets.iter().map(|it| (it.variable.to_owned(), path(it)));
        self.env.clone().into_iter().chain(secrets).collect()
    }

    /// The path of the service's collection.
    pub fn collection(&self) -> String {
        format!("/{}", self.name)
    }
}
