//! Shows progress live: a line for each subject, with a spinner while work is under way. It is
//! the only user of indicatif.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use support::event::{Event, EventSink, Kind};
use support::wait::in_words;

/// Room for the longest subject, so that the lines stand in columns.
const SUBJECT_WIDTH: usize = 19;

/// Shows events as live lines. The library omits colours if `NO_COLOR` is set.
#[derive(Debug, Default)]
pub(super) struct Bars {
    all: MultiProgress,
    lines: Mutex<HashMap<String, Line>>,
}

/// The line of a subject.
#[derive(Debug)]
struct Line {
    bar: ProgressBar,
    since: Instant,
    step: String,
}

/// The live lines that are on the terminal now. A command has one display at a time.
static SHOWN: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Writes to the terminal while the live lines, if any, are hidden.
pub(super) fn suspended<T>(write: impl FnOnce() -> T) -> T {
    // A clone, so that the lock is not held while writing.
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match shown {
        Some(shown) => shown.suspend(write),
        None => write(),
    }
}

fn set_shown(shown: Option<MultiProgress>) {
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = shown;
}

impl Bars {
    pub(super) fn new() -> Self {
        let bars = Self::default();
        set_shown(Some(bars.all.clone()));
        bars
    }

    fn begin(&self, subject: &str) -> Line {
        let bar = self.all.add(ProgressBar::new_spinner());
        bar.set_style(style("{spinner:.cyan}"));
        bar.set_prefix(format!("{subject:<SUBJECT_WIDTH$}"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Line { bar, since: Instant::now(), step: String::new() }
    }
}

impl Line {
    fn finish(&self, prefix: &str, mark: &str, text: &str) {
        let style = style(mark).template(&format!("{mark} {prefix} {{msg}}"));
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        self.bar.finish_with_message(format!("{text} ({})", in_words(self.since.elapsed())));
    }
}

impl EventSink for Bars {
    fn emit(&self, Event { subject, kind }: Event) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(subject).or_insert_with_key(|subject| self.begin(subject));
        match kind {
            Kind::Step(text) => {
                line.bar.set_message(text.clone());
                // The bar shows how long the step takes; `since` is for all of them.
                line.bar.reset_elapsed();
                line.step = text;
            }
            Kind::Detail(text) => line.bar.set_message(text),
            Kind::Bytes { what, moved, all } => line.bar.set_message(bytes(&what, moved, all)),
            Kind::Warning(text) => self.all.suspend(|| warn(&line.bar.prefix(), &text)),
            Kind::Done(text) => line.finish("{prefix:.green}", "✓", &text),
            Kind::Failed(text) => line.finish("{prefix:.red}", "✗", &text),
        }
    }
}

impl Drop for Bars {
    /// A subject that has not ended was interrupted: its line says in which step.
    fn drop(&mut self) {
        set_shown(None);
        let lines = self.lines.get_mut().unwrap_or_else(PoisonError::into_inner);
        for line in lines.values().filter(|line| !line.bar.is_finished()) {
            line.finish("{prefix:.yellow}", "-", &format!("{}: not finished", line.step));
        }
        if !lines.is_empty() {
            // The library leaves the cursor at the end of the last line.
            let _ = writeln!(std::io::stderr());
        }
    }
}

/// The progress of a transfer: `uploading the image [####----] 1.2 MiB of 2.4 MiB`.
fn bytes(what: &str, moved: u64, all: u64) -> String {
    let filled = usize::try_from(moved * 20 / all.max(1)).unwrap_or_default();
    let bar = format!("{:-<20}", "#".repeat(filled));
    format!("{what} [{bar}] {} of {}", HumanBytes(moved), HumanBytes(all))
}

fn style(spinner: &str) -> ProgressStyle {
    ProgressStyle::with_template(&format!(
        "{spinner} {{prefix:.bold}} {{wide_msg}} {{elapsed:.dim}}"
    ))
    .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[expect(clippy::print_stderr, reason = "it is this module's purpose")]
fn warn(prefix: &str, text: &str) {
    eprintln!("! {prefix} {text}");
}
