//! Reads seed data: a YAML list of resources, each a mapping of fields.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::config::{Config, Name, Origin, Service};

/// The resources that a service begins with.
#[derive(Debug, Clone, Default)]
pub struct Fixtures {
    /// The file, for error messages.
    pub source: String,
    /// Their fields, in the order of the file.
    pub items: Vec<Map<String, Value>>,
}

/// The fixtures of every service, by its name.
pub type AllFixtures = BTreeMap<Name, Fixtures>;

/// A fixtures file is not valid.
#[derive(Debug, thiserror::Error)]
#[error("{source_name}: {problem}")]
pub struct FixtureError {
    source_name: String,
    problem: String,
}

/// The fixtures of the built-in stack, by the paths that it names.
const BUILT_IN: [(&str, &str); 2] = [
    ("fixtures/events.yml", include_str!("../fixtures/events.yml")),
    ("fixtures/notifications.yml", include_str!("../fixtures/notifications.yml")),
];

/// Reads the fixtures of every service, by its name.
pub fn load_all(config: &Config) -> Result<AllFixtures, FixtureError> {
    let load = |service: &Service| Ok((service.name.clone(), load(&config.origin, service)?));
    config.services.iter().map(load).collect()
}

/// Reads the fixtures of a service; empty if it has none.
pub fn load(origin: &Origin, service: &Service) -> Result<Fixtures, FixtureError> {
    let Some(path) = &service.fixtures else {
        return Ok(Fixtures::default());
    };
    match origin {
        Origin::BuiltIn => {
            let text = BUILT_IN.iter().find(|(name, _)| Path::new(name) == path);
            let missing = || FixtureError {
                source_name: path.display().to_string(),
                problem: "is not built in".into(),
            };
            parse(&format!("built-in {}", path.display()), text.ok_or_else(missing)?.1)
        }
        Origin::File(_) => {
            let path = origin.base().join(path);
            let name = path.display().to_string();
            let text = fs::read_to_string(&path).map_err(|error| FixtureError {
                source_name: name.clone(),
                problem: format!(
                    "cannot be read ({error}); services.{}.fixtures names it",
                    service.name
                ),
            })?;
            parse(&name, &text)
        }
    }
}

fn parse(source: &str, text: &str) -> Result<Fixtures, FixtureError> {
    let failed = |problem: String| FixtureError { source_name: source.into(), problem };
    let items: Vec<serde_yaml::Value> =
        serde_yaml::from_str(text).map_err(|error| failed(format!("must be a list: {error}")))?;
    let fields = |(n, item): (usize, &serde_yaml::Value)| match serde_json::to_value(item) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(failed(format!("item {} must be a mapping of fields to values", n + 1))),
        Err(error) => Err(failed(format!("item {} cannot be written as JSON: {error}", n + 1))),
    };
    let items = items.iter().enumerate().map(fields).collect::<Result<_, _>>()?;
    Ok(Fixtures { source: source.into(), items })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_fields_and_dates_stay_text() {
        let text = "- title: A\n  date: 2020-12-12\n  time: 20:50:12\n- {title: B}\n";
        let fixtures = parse("f.yml", text).unwrap();
        assert_eq!(fixtures.items.len(), 2);
        assert_eq!(fixtures.items[0]["date"], "2020-12-12");
        assert_eq!(fixtures.items[0]["time"], "20:50:12");
    }

    #[test]
    fn anything_but_a_list_of_mappings_is_an_error() {
        assert!(
            parse("f.yml", "a: b").unwrap_err().to_string().starts_with("f.yml: must be a list")
        );
        let error = parse("f.yml", "- {a: b}\n- c\n").unwrap_err();
        assert_eq!(error.to_string(), "f.yml: item 2 must be a mapping of fields to values");
    }
}
