//! Prints the results, and writes them to the files that the command line names.

use loadtest::page;
use loadtest::results::Results;
use serde::Serialize;

use super::baseline::Comparison;
use super::{csv, tables};
use crate::cli::{Bench, Output};
use crate::commands::destination::Destination;
use crate::error::Error;
use crate::report;

/// The files that the results are written to.
#[derive(Debug)]
pub(super) struct Files {
    html: Option<Destination>,
    csv: Option<Destination>,
}

/// What `--output json` prints.
#[derive(Debug, Serialize)]
struct JsonOutput<'a> {
    #[serde(flatten)]
    results: &'a Results,
    /// The comparison with the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [Comparison]>,
}

impl Files {
    /// Fails if a file cannot be written.
    pub(super) fn prepare(args: &Bench) -> Result<Self, Error> {
        Ok(Self {
            html: Destination::optional(args.html.as_deref())?,
            csv: Destination::optional(args.csv.as_deref())?,
        })
    }

    pub(super) fn write(self, results: &Results) -> Result<(), Error> {
        if let Some(file) = self.html {
            let page = page::render(results);
            let page = page.map_err(|error| Error::Failed(format!("--html: {error}")))?;
            file.write(page.as_bytes())?;
        }
        if let Some(file) = self.csv {
            file.write(csv::render(results).as_bytes())?;
        }
        Ok(())
    }
}

/// Prints the results to standard output.
pub(super) fn print(
    output: Output,
    results: &Results,
    changes: Option<&[Comparison]>,
) -> Result<(), Error> {
    if output == Output::Json {
        return report::json(&JsonOutput { results, changes });
    }
    report::print(&tables::executions(results), output)?;
    report::gap()?;
    report::print(&tables::labels(results), output)?;
    if !results.criteria.is_empty() {
        report::gap()?;
        report::print(&results.criteria, output)?;
    }
    if let Some(changes) = changes {
        report::gap()?;
        report::print(changes, output)?;
    }
    Ok(())
}

/// The command line, without the path of the program.
pub(super) fn command_line() -> String {
    let arguments = std::env::args().skip(1).map(|argument| ssh::quote(&argument));
    std::iter::once("eventpost".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}
