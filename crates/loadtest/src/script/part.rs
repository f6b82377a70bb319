//! Takes parts out of a script: what one host needs of it.

use std::fs;

use serde_yaml::{Mapping, Value};

use super::{Criterion, Script};

/// A script that needs nothing but the files that come with it.
#[derive(Debug)]
pub struct Portable {
    /// The script.
    pub text: String,
    /// The files that it names.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Script {
    /// The script of some executions alone, whose requests go to `address`.
    pub fn part(&self, numbers: &[usize], address: &str) -> Portable {
        let mut root = Mapping::new();
        let items = self.source.get("execution").and_then(Value::as_sequence);
        let items = items.map_or(&[][..], Vec::as_slice);
        let own = numbers.iter().filter_map(|number| items.get(*number).cloned());
        root.insert("execution".into(), Value::Sequence(own.collect()));
        let mut files = Vec::new();
        let mut scenarios = Mapping::new();
        for number in numbers {
            let name = self.executions[*number].scenario.name.as_str();
            if scenarios.contains_key(name) {
                continue;
            }
            let mut scenario = self.source["scenarios"][name].clone();
            scenario["default-address"] = address.into();
            self.take_files_along(&mut scenario, &mut files);
            scenarios.insert(name.into(), scenario);
        }
        root.insert("scenarios".into(), scenarios.into());
        root.insert("reporting".into(), self.reporting(numbers));
        let text = serde_yaml::to_string(&root).unwrap_or_default();
        Portable { text, files }
    }

    /// Gives each file that a request names a name of its own beside the script.
    fn take_files_along(&self, scenario: &mut Value, files: &mut Vec<(String, Vec<u8>)>) {
        let requests = scenario.get_mut("requests").and_then(Value::as_sequence_mut);
        for request in requests.into_iter().flatten() {
            let Some(file) = request.get("body-file").and_then(Value::as_str) else { continue };
            // It was there when the script was read; where it has gone, the host will say so.
            if let Ok(bytes) = fs::read(self.folder.join(file)) {
                let name = format!("body-{}", files.len());
                files.push((name.clone(), bytes));
                request["body-file"] = name.into();
            }
        }
    }

    /// The criteria about all together, of those whose labels there are.
    fn reporting(&self, numbers: &[usize]) -> Value {
        let has_label = |label: &String| {
            let executions = numbers.iter().map(|number| &self.executions[*number]);
            let mut requests = executions.flat_map(|execution| &execution.scenario.requests);
            requests.any(|request| request.label == *label)
        };
        let is_here = |criterion: &&Criterion| {
            criterion.execution.is_none() && criterion.label.as_ref().is_none_or(has_label)
        };
        let own = self.criteria.iter().filter(is_here).map(Criterion::spelled_out);
        let criteria: Vec<Value> = own.map(Value::from).collect();
        let module = Mapping::from_iter([
            ("module".into(), "passfail".into()),
            ("criteria".into(), Value::Sequence(criteria)),
        ]);
        Value::Sequence(vec![module.into()])
    }
}
