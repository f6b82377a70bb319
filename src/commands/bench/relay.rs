//! The protocol between a host that runs a load test and the machine that asked for it: one
//! JSON document a line.

use std::io::Write;

use loadtest::outcome::Outcome;
use serde::{Deserialize, Serialize};
use support::event::{Event, EventSink};

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    /// Something happened.
    Event(Event),
    /// The result, at the end.
    Outcome(Box<Outcome>),
}

/// Writes what happens to standard output.
#[derive(Debug)]
pub(super) struct Relay;

/// Hands over the result.
pub(super) fn finish(outcome: Outcome) {
    write(&Line::Outcome(Box::new(outcome)));
}

impl EventSink for Relay {
    fn emit(&self, event: Event) {
        write(&Line::Event(event));
    }
}

/// Where nobody hears any longer, nobody wants the load either: the connection has ended.
fn write(line: &Line) {
    let text = serde_json::to_string(line).unwrap_or_default() + "\n";
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
        // Ends as it does when a signal comes from outside. This process is its own.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    }
}
