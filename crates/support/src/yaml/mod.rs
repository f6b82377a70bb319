//! Reads YAML files: every problem is reported at once, each with its line and the path of its
//! key.

mod locate;
mod section;

use std::fmt;

use serde_yaml::Value;

pub use section::{Problems, Section, kind};

/// Something wrong with a file.
#[derive(Debug, Clone)]
pub struct LocatedProblem {
    line: Option<usize>,
    path: String,
    message: String,
}

impl LocatedProblem {
    /// Something wrong with the file as a whole.
    pub fn whole(message: String) -> Self {
        Self { line: None, path: String::new(), message }
    }

    /// Something wrong with a key of a text, by the keys that lead there.
    pub fn at(text: &str, path: &[&str], message: String) -> Self {
        let path: Vec<_> = path.iter().map(|&key| key.to_owned()).collect();
        Self { line: locate::line(text, &path), path: section::joined(&path), message }
    }
}

impl fmt::Display for LocatedProblem {
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

/// Writes what is wrong with the file called `name`, one line for each problem.
pub fn list(f: &mut fmt::Formatter<'_>, name: &str, problems: &[LocatedProblem]) -> fmt::Result {
    match problems {
        [only] => write!(f, "{name}: {only}"),
        several => {
            write!(f, "{name} has {} problems", several.len())?;
            several.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
        }
    }
}

/// Reads a text as YAML.
pub fn value(text: &str) -> Result<Value, Vec<LocatedProblem>> {
    serde_yaml::from_str(text).map_err(|error| vec![LocatedProblem::whole(error.to_string())])
}

/// Makes something of `root`, which was read from `text`; fails if `read` finds a
/// problem.
pub fn read<T>(
    text: &str,
    root: &Value,
    read: impl FnOnce(&Value, &Problems) -> Option<T>,
) -> Result<T, Vec<LocatedProblem>> {
    let problems = Problems::default();
    let read = read(root, &problems);
    let mut problems: Vec<_> = problems
        .into_inner()
        .into_iter()
        .map(|problem| LocatedProblem {
            line: locate::line(text, &problem.path),
            path: section::joined(&problem.path),
            message: problem.message,
        })
        .collect();
    problems.sort_by_key(|problem| problem.line);
    read.filter(|_| problems.is_empty()).ok_or(problems)
}
