//! Prints a plan: its operations, and what they come to.

use std::process::ExitCode;
use std::time::Duration;

use support::wait::in_words;

use crate::cli::Output;
use crate::error::Error;
use crate::plan::{Action, Operation, Plan};
use crate::report::{self, Cell, Table};
use crate::session::Session;

/// The exit code if there are changes.
const CHANGES: u8 = 2;

impl Table for Operation {
    const HEADINGS: &'static [&'static str] = &["ACTION", "SERVICE", "TARGET", "DATA", "REASON"];

    fn cells(&self) -> Vec<Cell> {
        let resources = match self.action.resources() {
            Some(1) => "1 resource".into(),
            Some(count) => format!("{count} resources"),
            None => "all".into(),
        };
        let data = match &self.action {
            Action::CarryOver { .. } => Cell::verdict(&format!("{resources} carried over"), true),
            _ if self.loses_data() => Cell::verdict(&format!("{resources} lost"), false),
            _ => Cell::text(None::<&str>),
        };
        vec![
            Cell::verdict(self.action.verb(), !matches!(self.action, Action::Terminate { .. })),
            Cell::text(self.service.as_ref()),
            Cell::text(Some(self.action.target())),
            data,
            Cell::text(Some(&self.reason)),
        ]
    }
}

/// Prints a plan. The exit code says whether it changes anything.
pub(super) fn print(session: Session, plan: &Plan, format: Output) -> Result<ExitCode, Error> {
    let instance_type = session.config.launch.instance_type.clone();
    session.close();
    if format == Output::Json {
        report::json(plan)?;
    } else {
        report::print(&plan.operations, format)?;
        report::gap()?;
        for line in summary(plan, &instance_type) {
            report::line(&line)?;
        }
    }
    Ok(if plan.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CHANGES) })
}

fn summary(plan: &Plan, instance_type: &str) -> Vec<String> {
    let mut lines = vec![format!("{}: {}.", plan.stack, counts(&plan.operations))];
    if let Some(cost) = &plan.cost {
        lines.push(format!(
            "The hosts cost {:.4} USD an hour, {:.2} a month ({instance_type} with a public address, on \
             demand in {}, prices of {}).",
            cost.hourly, cost.monthly, cost.region, cost.as_of
        ));
    }
    if let Some(seconds) = plan.last_time_seconds {
        let took = in_words(Duration::from_secs_f64(seconds));
        lines.push(format!("The last `up` took {took}."));
    }
    lines.extend(plan.notes.iter().map(|note| format!("{note}.")));
    if plan.loses_data() {
        lines.push("Run `eventpost backup FILE` first to keep the data that are lost.".into());
    }
    lines
}

/// How many operations of each kind there are, in the order in which they begin.
fn counts(operations: &[Operation]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for operation in operations {
        let verb = operation.action.verb();
        match counts.iter_mut().find(|(known, _)| *known == verb) {
            Some((_, count)) => *count += 1,
            None => counts.push((verb, 1)),
        }
    }
    let counts: Vec<_> = counts.iter().map(|(verb, n)| format!("{n} to {verb}")).collect();
    counts.join(", ")
}
