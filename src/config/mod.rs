//! This module owns `eventpost.yml`: text in, a [`Config`] that cannot be wrong out,
//! or every problem at once, each with its line and the path of its key.

mod locate;
mod model;
mod read;
mod section;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

pub use model::{Config, DockerSource, Image, Name, SecurityGroup, Service, Source, Ssh, SshFrom};

/// The name of the file that is used where none is named.
pub const FILE: &str = "eventpost.yml";

/// The built-in deployment: the file of that name in this repository.
const DEFAULT: &str = include_str!("../../eventpost.yml");

/// Where a deployment's description comes from; what it names is relative to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    BuiltIn,
    /// A file.
    File(PathBuf),
}

/// Everything that is wrong with a description.
#[derive(Debug)]
pub struct ConfigErrors {
    origin: Origin,
    problems: Vec<Located>,
}

/// A problem as the user sees it.
#[derive(Debug)]
struct Located {
    line: Option<usize>,
    path: String,
    message: String,
}

/// Reads the file, or `eventpost.yml` in the current folder, or the built-in default.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigErrors> {
    let file = match file {
        Some(file) => Some(file),
        None => Some(Path::new(FILE)).filter(|file| file.exists()),
    };
    let Some(file) = file else {
        return parse(DEFAULT, Origin::BuiltIn);
    };
    let origin = Origin::File(file.into());
    match fs::read_to_string(file) {
        Ok(text) => parse(&text, origin),
        Err(error) => Err(ConfigErrors::whole(origin, format!("cannot be read: {error}"))),
    }
}

fn parse(text: &str, origin: Origin) -> Result<Config, ConfigErrors> {
    let root: serde_yaml::Value = match serde_yaml::from_str(text) {
        Ok(root) => root,
        Err(error) => return Err(ConfigErrors::whole(origin, error.to_string())),
    };
    read::config(&root, &origin).map_err(|problems| {
        let located = problems.into_iter().map(|problem| Located {
            line: locate::line(text, &problem.path),
            path: problem.path.join("."),
            message: problem.message,
        });
        let mut problems: Vec<_> = located.collect();
        problems.sort_by_key(|problem| problem.line);
        ConfigErrors { origin, problems }
    })
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
            Self::BuiltIn => f.write_str("the built-in deployment"),
            Self::File(file) => write!(f, "{}", file.display()),
        }
    }
}

impl ConfigErrors {
    fn whole(origin: Origin, message: String) -> Self {
        let problem = Located { line: None, path: String::new(), message };
        Self { origin, problems: vec![problem] }
    }
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problems[..] {
            [only] => write!(f, "{}: {only}", self.origin),
            several => {
                write!(f, "{} has {} problems", self.origin, several.len())?;
                several.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests;
