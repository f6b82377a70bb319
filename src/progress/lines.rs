//! Shows progress as plain text, for logs and pipes: one line for each step.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use support::event::{Event, EventSink, Kind};
use support::wait::in_words;

/// Writes events as lines, each with its subject.
#[derive(Debug)]
pub(super) struct Lines {
    begun: Mutex<HashMap<String, Instant>>,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { begun: Mutex::default() }
    }

    fn text(&self, subject: &str, kind: Kind) -> Option<String> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *begun.entry(subject.into()).or_insert_with(Instant::now);
        match kind {
            Kind::Step(text) => Some(text),
            // A terminal can show every compiled crate in one place; a log cannot.
            Kind::Detail(_) | Kind::Bytes { .. } => None,
            Kind::Done(text) => Some(format!("{text} ({})", in_words(since.elapsed()))),
            Kind::Failed(text) => Some(format!("failed: {text}")),
            Kind::Warning(text) => Some(format!("warning: {text}")),
        }
    }
}

impl EventSink for Lines {
    fn emit(&self, Event { subject, kind }: Event) {
        if let Some(text) = self.text(&subject, kind) {
            // Without anybody to read it, the work goes on all the same.
            let _ = writeln!(std::io::stderr().lock(), "{subject}: {text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_left_out_and_the_rest_reads_as_a_log() {
        let lines = Lines::new();
        let text = |kind| lines.text("events", kind);
        assert_eq!(text(Kind::Step("starting".into())).as_deref(), Some("starting"));
        assert_eq!(text(Kind::Detail("1 of 2".into())), None);
        assert_eq!(text(Kind::Failed("no port".into())).as_deref(), Some("failed: no port"));
        assert_eq!(text(Kind::Warning("odd".into())).as_deref(), Some("warning: odd"));
        assert!(text(Kind::Done("ready".into())).is_some_and(|text| text.starts_with("ready (")));
    }
}
