//! Takes some executions out of a script, for the host that runs them.

use std::collections::BTreeMap;

use serde_yaml::{Mapping, Value};

use super::{Criterion, Request, Script};

impl Script {
    /// The script with some executions only, as YAML, whose requests are sent to `address`.
    pub(crate) fn only(&self, numbers: &[usize], address: &str) -> String {
        let mut root = Mapping::new();
        let items = self.source.get("execution").and_then(Value::as_sequence);
        let items = items.map_or(&[][..], Vec::as_slice);
        let own = numbers.iter().filter_map(|number| items.get(*number).cloned());
        root.insert("execution".into(), Value::Sequence(own.collect()));
        let mut scenarios = Mapping::new();
        for number in numbers {
            let name = self.executions[*number].scenario.name.as_str();
            let mut scenario = self.source["scenarios"][name].clone();
            scenario["default-address"] = address.into();
            scenarios.insert(name.into(), scenario);
        }
        root.insert("scenarios".into(), scenarios.into());
        root.insert("reporting".into(), self.reporting(numbers));
        serde_yaml::to_string(&root).unwrap_or_default()
    }

    /// The files that the requests of some executions name, with their content.
    pub(crate) fn files_of(&self, numbers: &[usize]) -> BTreeMap<String, String> {
        let executions = numbers.iter().map(|number| &self.executions[*number]);
        let requests = executions.flat_map(|execution| &execution.scenario.requests);
        let file = |request: &Request| {
            let body = request.body.as_ref().map_or("", |body| body.start());
            Some((request.body_file.clone()?, body.to_owned()))
        };
        requests.filter_map(file).collect()
    }

    /// The criteria about all executions, without those about labels of other executions.
    fn reporting(&self, numbers: &[usize]) -> Value {
        let has_label = |label: &String| {
            let executions = numbers.iter().map(|number| &self.executions[*number]);
            let mut requests = executions.flat_map(|execution| &execution.scenario.requests);
            requests.any(|request| request.label == *label)
        };
        let is_own = |criterion: &&Criterion| {
            criterion.execution.is_none() && criterion.label.as_ref().is_none_or(has_label)
        };
        let own = self.criteria.iter().filter(is_own).map(Criterion::with_message);
        let criteria: Vec<Value> = own.map(Value::from).collect();
        let module = Mapping::from_iter([
            ("module".into(), "passfail".into()),
            ("criteria".into(), Value::Sequence(criteria)),
        ]);
        Value::Sequence(vec![module.into()])
    }
}
