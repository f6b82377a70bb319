//! This module owns the files that a load's result is written to.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::bench::outcome::{Outcome, Times};
use crate::error::Error;

/// A file that will be there, whole, or not at all. That it can be written is known
/// before the load, whose result would be lost otherwise.
#[derive(Debug)]
pub(super) struct Destination {
    file: PathBuf,
    part: PathBuf,
    open: File,
}

impl Destination {
    /// Prepares a file, if one was asked for.
    pub(super) fn maybe(file: Option<&Path>) -> Result<Option<Self>, Error> {
        let Some(file) = file else { return Ok(None) };
        let mut part = file.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let open = File::create(&part).map_err(|error| cannot(file, &error))?;
        Ok(Some(Self { file: file.into(), part, open }))
    }

    /// Writes the file.
    pub(super) fn write(mut self, text: &[u8]) -> Result<(), Error> {
        let written = self.open.write_all(text).and_then(|()| fs::rename(&self.part, &self.file));
        written.map_err(|error| cannot(&self.file, &error))
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        // Once it has been renamed, it is not there.
        let _ = fs::remove_file(&self.part);
    }
}

fn cannot(file: &Path, error: &io::Error) -> Error {
    Error::Request(format!("{} cannot be written: {error}", file.display()))
}

const HEADINGS: &str = "from,scenario,method,label,requests,errors,bytes,average_ms,p50_ms,p90_ms,\
    p95_ms,p99_ms,p99_9_ms,max_ms,service_p50_ms,service_p99_ms,service_max_ms\n";

/// The labels as comma-separated values (RFC 4180).
pub(super) fn csv(outcome: &Outcome) -> String {
    let mut text = HEADINGS.to_owned();
    for execution in &outcome.executions {
        for label in &execution.labels {
            let Times { average_ms, p50_ms, p90_ms, p95_ms, p99_ms, p99_9_ms, max_ms } =
                label.response;
            let mut fields: Vec<_> =
                [&execution.from, &execution.scenario, &label.method, &label.label]
                    .map(|text| quoted(text))
                    .into();
            let counts = [label.requests, label.errors, label.bytes];
            fields.extend(counts.map(|count| count.to_string()));
            let times = [average_ms, p50_ms, p90_ms, p95_ms, p99_ms, p99_9_ms, max_ms];
            fields.extend(times.map(|ms| format!("{ms:.3}")));
            let service = label.service.map(|it| [it.p50_ms, it.p99_ms, it.max_ms]);
            fields.extend(
                service.map_or_else(Default::default, |times| times.map(|ms| format!("{ms:.3}"))),
            );
            text.push_str(&fields.join(","));
            text.push('\n');
        }
    }
    text
}

/// A field: in quotes where it has to be, and never a formula to a spreadsheet.
fn quoted(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.into() };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("GET /events/{id}"), "GET /events/{id}");
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("result.csv");
        drop(Destination::maybe(Some(&file)).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        Destination::maybe(Some(&file)).unwrap().unwrap().write(b"text").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"text");
        let error = Destination::maybe(Some(&dir.path().join("no/result.csv"))).unwrap_err();
        assert!(error.to_string().contains("no/result.csv cannot be written"), "{error}");
    }
}
