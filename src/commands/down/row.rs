//! Shows what `down` ended, as rows of a table.

use serde::Serialize;

use crate::report::{Cell, Table};

/// Something that was ended.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) service: String,
    /// The instance or the process; none where there was none.
    pub(super) what: Option<String>,
    pub(super) outcome: &'static str,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["SERVICE", "WHAT", "OUTCOME"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(Some(&self.service)),
            Cell::text(self.what.as_ref()),
            Cell::verdict(self.outcome, true),
        ]
    }
}
