//! Shows the result of a deployment to hosts, as rows of a table.

use serde::Serialize;

use crate::deploy::Step;
use crate::report::{Cell, Table};

/// A service that has been brought to its host.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) service: String,
    pub(super) host: String,
    pub(super) url: String,
    /// What the steps took, in their order.
    pub(super) steps: Vec<Step>,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["SERVICE", "HOST", "URL", "STEPS"];

    fn cells(&self) -> Vec<Cell> {
        let steps = self.steps.iter().map(|step| format!("{} {:.1} s", step.name, step.seconds));
        vec![
            Cell::text(Some(&self.service)),
            Cell::text(Some(&self.host)),
            Cell::text(Some(&self.url)),
            Cell::text(Some(steps.collect::<Vec<_>>().join(", "))),
        ]
    }
}
