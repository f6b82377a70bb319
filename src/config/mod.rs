//! Reads `eventpost.yml`: text in, a valid [`Config`] out, or every problem at once, each with
//! its line and the path of its key.

mod access;
mod database;
mod group;
mod launch;
mod limits;
mod mail;
mod model;
mod page;
mod publish;
mod read;
mod reminders;
mod tls;

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use support::yaml::{self, LocatedProblem};

pub use database::{DATABASE_CA_FILE, DATABASE_URL_FILE};
pub use model::{
    Access, Config, DockerSource, Name, PublicAddress, Secret, SecurityGroup, Service, Source, Ssh,
};
pub use page::ServiceUrls;

/// The name of the file that is used if none is named.
pub const FILE: &str = "eventpost.yml";

/// The built-in stack: the file of that name in this repository.
const DEFAULT: &str = include_str!("../../eventpost.yml");

/// The JSON schema of eventpost.yml, for editors.
pub const SCHEMA: &str = include_str!("../../docs/eventpost.schema.json");

/// Where the description of a stack comes from. Paths in it are relative to its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    BuiltIn,
    /// A file.
    File(PathBuf),
}

/// Expands `~` at the beginning of a path to this user's home.
pub(crate) fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_path_buf(),
    }
}

/// Everything that is wrong with a description.
#[derive(Debug)]
pub struct ConfigErrors {
    origin: Origin,
    problems: Vec<LocatedProblem>,
}

/// Reads the file, or `eventpost.yml` in the current folder, or the built-in default. The
/// stack's name may be another one than the file says.
pub fn load(file: Option<&Path>, stack: Option<&Name>) -> Result<Config, ConfigErrors> {
    let file = match file {
        Some(file) => Some(file),
        None => Some(Path::new(FILE)).filter(|file| file.exists()),
    };
    let Some(file) = file else {
        return parse(DEFAULT, Origin::BuiltIn, stack);
    };
    let origin = Origin::File(file.into());
    match fs::read_to_string(file) {
        Ok(text) => parse(&text, origin, stack),
        Err(error) => Err(ConfigErrors::whole(origin, format!("cannot be read: {error}"))),
    }
}

/// The text of a new file: the built-in one with its comments, a name and a region.
pub fn first(stack: Option<&Name>, region: Option<&str>) -> String {
    // The first paragraph is about the built-in stack alone.
    let (_, rest) = DEFAULT.split_once("\n\n").unwrap_or(("", DEFAULT));
    let lines = rest.lines().map(|line| match (line.split_once(": "), stack, region) {
        (Some(("stack", _)), Some(stack), _) => format!("stack: {stack}"),
        (Some(("region", _)), _, Some(region)) => format!("region: {region}"),
        _ => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

fn parse(text: &str, origin: Origin, stack: Option<&Name>) -> Result<Config, ConfigErrors> {
    let config = yaml::value(text).and_then(|mut root| {
        // Names that derive from the stack's derive from this one.
        if let (Some(stack), Some(mapping)) = (stack, root.as_mapping_mut()) {
            mapping.insert("stack".into(), stack.as_str().into());
        }
        let mut config =
            yaml::read(text, &root, |root, problems| read::config(root, &origin, problems))?;
        let problem = access::open_relay(config.access, &config.services);
        config.open_relay = problem.map(|it| LocatedProblem::at(text, &["access"], it));
        Ok(config)
    });
    config.map_err(|problems| ConfigErrors { origin, problems })
}

impl Config {
    /// Fails if the stack must not run on hosts.
    pub fn check_for_hosts(&self) -> Result<(), ConfigErrors> {
        let origin = self.origin.clone();
        let problem = self.open_relay.clone();
        problem.map_or(Ok(()), |it| Err(ConfigErrors { origin, problems: vec![it] }))
    }
}

impl Origin {
    /// The folder that relative paths begin at.
    pub fn base(&self) -> &Path {
        match self {
            Self::File(file) => file.parent().unwrap_or(Path::new("")),
            Self::BuiltIn => Path::new(""),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("the built-in stack"),
            Self::File(file) => write!(f, "{}", file.display()),
        }
    }
}

impl ConfigErrors {
    fn whole(origin: Origin, message: String) -> Self {
        Self { origin, problems: vec![LocatedProblem::whole(message)] }
    }
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        yaml::list(f, &self.origin.to_string(), &self.problems)
    }
}

#[cfg(test)]
pub(crate) mod tests;
