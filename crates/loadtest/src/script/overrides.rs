//! Changes values of a script from the command line: `execution.0.hold-for=5s`.

use std::str::FromStr;

use serde_yaml::{Mapping, Value};

/// A new value for a key of the script.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    path: Vec<String>,
    value: Value,
}

impl Override {
    /// Sets the value, and makes mappings on the way to it that are missing.
    pub(super) fn apply(&self, root: &mut Value) -> Result<(), String> {
        let mut at = root;
        for part in &self.path {
            if at.is_null() {
                *at = Value::Mapping(Mapping::new());
            }
            let next = match at {
                Value::Sequence(items) => {
                    let number = part.parse::<usize>().ok();
                    number.and_then(|number| items.get_mut(number))
                }
                Value::Mapping(mapping) => {
                    Some(mapping.entry(part.as_str().into()).or_insert(Value::Null))
                }
                _ => None,
            };
            at = next.ok_or_else(|| format!("-o {}: there is no `{part}`", self.path.join(".")))?;
        }
        at.clone_from(&self.value);
        Ok(())
    }
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = text
            .split_once('=')
            .filter(|(path, _)| !path.is_empty())
            .ok_or_else(|| format!("`{text}` must be like execution.0.hold-for=5s"))?;
        let value = serde_yaml::from_str(value).map_err(|error| format!("`{value}`: {error}"))?;
        Ok(Self { path: path.split('.').map(str::to_owned).collect(), value })
    }
}
