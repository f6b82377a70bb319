//! The validated description of a stack.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use ec2::{GroupName, Image, LaunchOptions, SshFrom, UserTags};
use support::yaml::LocatedProblem;

use super::Origin;

/// A stack: what runs where.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the description came from.
    pub origin: Origin,
    /// The name that everything of the stack is named and tagged with.
    pub stack: Name,
    /// The AWS region; none leaves it to AWS's own settings.
    pub region: Option<String>,
    /// What hosts on EC2 are launched with.
    pub launch: LaunchOptions,
    /// What everything that is created on AWS is tagged with, too.
    pub tags: UserTags,
    /// What the hosts boot.
    pub image: Image,
    /// Which addresses the hosts on EC2 have.
    pub address: PublicAddress,
    /// How hosts are logged in to.
    pub ssh: Ssh,
    /// Who may connect to the hosts.
    pub security_group: SecurityGroup,
    /// Where Docker comes from.
    pub docker: DockerSource,
    /// Who may use the services; `None` leaves it to the placement.
    pub access: Option<Access>,
    /// Why the stack must not run on hosts, with its line.
    pub(super) open_relay: Option<LocatedProblem>,
    /// Existing hosts to use instead of EC2, by service.
    pub hosts: BTreeMap<String, IpAddr>,
    /// The services, in the order of the file; at least one.
    pub services: Vec<Service>,
}

/// A name that fits into file names, tags, container names and paths: lowercase
/// letters, digits and hyphens, beginning with a letter, at most 32 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// How hosts are logged in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The user.
    pub user: String,
    /// The private key; `None` creates one for the stack.
    pub key: Option<PathBuf>,
}

/// Which public address a host on EC2 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicAddress {
    /// One that AWS assigns at the launch, and that ends with the host.
    Auto,
    /// An Elastic IP address, which the service keeps from launch to launch.
    Elastic,
}

/// Who may use the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody reads events; everything else needs a token.
    Tokens,
    /// Everybody may do everything.
    Open,
}

/// Where a host's Docker comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DockerSource {
    /// The distribution's package.
    Distro,
    /// Docker's own repository.
    DockerCe,
    /// It is installed already.
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

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name, which is also the path of its collection.
    pub name: Name,
    /// Where its program comes from.
    pub source: Source,
    /// The port of the host that it answers on.
    pub port: u16,
    /// The address of the host that it answers on; `None` is every one.
    pub bind: Option<IpAddr>,
    /// How it answers HTTPS, if it does.
    pub tls: Option<Tls>,
    /// The path that answers 200 once it can work.
    pub health: String,
    /// The file of its seed data.
    pub fixtures: Option<PathBuf>,
    /// Variables of its environment; none of them is a secret.
    pub env: BTreeMap<String, String>,
    /// Files that only the service may read.
    pub secrets: Vec<Secret>,
    /// Its page for people.
    pub page: Option<Page>,
    /// The volume that keeps its data.
    pub volume: Name,
}

/// How a service answers HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Its name.
    pub domain: String,
    /// The certificate chain and the key, or the CA of who issues them.
    pub(super) files: Vec<Secret>,
    /// Who issues certificates.
    pub(super) env: BTreeMap<String, String>,
}

/// A page for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where its reminders are created.
    pub reminders: Reminders,
    /// An additional origin that it is opened at, such as `https://events.example.org`.
    pub origin: Option<String>,
}

/// Where reminders are created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reminders {
    /// By a service of the stack.
    Service(Name),
    /// By another service, at this URL.
    Url(String),
}

/// A file that a service reads and nobody else may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The name of the file that the service reads.
    pub name: &'static str,
    /// The environment variable with the path of that file.
    pub variable: &'static str,
    /// Where it is on this machine.
    pub file: PathBuf,
    /// Whether a command that needs it creates it.
    pub is_generated: bool,
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

    /// The name, if the text is a valid one.
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

impl PublicAddress {
    /// The kind of address, if the text names one.
    pub fn new(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "elastic" => Some(Self::Elastic),
            _ => None,
        }
    }
}

impl DockerSource {
    /// The source, if the text names one.
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
    /// Its environment, with the path of each secret.
    pub fn env_with(&self, path: impl Fn(&Secret) -> String) -> BTreeMap<String, String> {
        let secrets = self.secrets.iter().map(|it| (it.variable.to_owned(), path(it)));
        self.env.clone().into_iter().chain(secrets).collect()
    }

    /// The path of the service's collection.
    pub fn collection(&self) -> String {
        format!("/{}", self.name)
    }
}
