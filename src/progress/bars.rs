//! Shows progress live: a line for each subject, with a spinner while work is under way. It is
//! the only user of indicatif.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use support::event::{Event, EventSink, Kind};
use support::wait::in_words;

/// Room for the longest subject, so that the lines stand in columns.
const SUBJECT_WIDTH: usize = 19;

/// Shows events as live lines. Colours go away where `NO_COLOR` is set, which the
/// library sees to.
#[derive(Debug, Default)]
pub(super) struct Bars {
    all: MultiProgress,
    lines: Mutex<HashMap<String, Line>>,
}

/// The line of a subject.
#[derive(Debug)]
struct Line {
    bar: ProgressBar,
    step: String,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn begin(&self, subject: &str) -> Line {
        let bar = self.all.add(ProgressBar::new_spinner());
        bar.set_style(style("{spinner:.cyan}"));
        bar.set_prefix(format!("{subject:<SUBJECT_WIDTH$}"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Line { bar, step: String::new() }
    }
}

impl EventSink for Bars {
    fn emit(&self, Event { subject, kind }: Event) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(subject).or_insert_with_key(|subject| self.begin(subject));
        match kind {
            Kind::Step(text) => {
                line.bar.set_message(text.clone());
                line.step = text;
            }
            Kind::Detail(text) => line.bar.set_message(text),
            Kind::Bytes { what, moved, all } => line.bar.set_message(bytes(&what, moved, all)),
            Kind::Warning(text) => self.all.suspend(|| warn(&line.bar.prefix(), &text)),
            Kind::Done(text) => finish(&line.bar, "{prefix:.green}", "✓", &text),
            Kind::Failed(text) => finish(&line.bar, "{prefix:.red}", "✗", &text),
        }
    }
}

impl Drop for Bars {
    /// A subject that came to no end was interrupted: its line says in what.
    fn drop(&mut self) {
        let lines = self.lines.get_mut().unwrap_or_else(PoisonError::into_inner);
        for line in lines.values().filter(|line| !line.bar.is_finished()) {
            finish(&line.bar, "{prefix:.yellow}", "-", &format!("{}: not finished", line.step));
        }
        if !lines.is_empty() {
            // The library leaves the cursor at the end of the last line.
            let _ = writeln!(std::io::stderr());
        }
    }
}

/// How far a transfer is: `uploading the image [####----] 1.2 MiB of 2.4 MiB`.
fn bytes(what: &str, moved: u64, all: u64) -> String {
    let filled = usize::try_from(moved * 20 / all.max(1)).unwrap_or_default();
    let bar = format!("{:-<20}", "#".repeat(filled));
    format!("{what} [{bar}] {} of {}", HumanBytes(moved), HumanBytes(all))
}

fn finish(bar: &ProgressBar, prefix: &str, mark: &str, text: &str) {
    bar.set_style(style(mark).template(&format!("{mark} {prefix} {{msg}}")).unwrap_or(style(mark)));
    bar.finish_with_message(format!("{text} ({})", in_words(bar.elapsed())));
}

fn style(spinner: &str) -> ProgressStyle {
    ProgressStyle::with_template(&format!("{spinner} {{prefix:.bold}} {{wide_msg}}"))
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[expect(clippy::print_stderr, reason = "it is this module's purpose")]
fn warn(prefix: &str, text: &str) {
    eprintln!("! {prefix} {text}");
}
