//! Shows progress as plain text, for logs and pipes: a line for each step, and one every 15
//! seconds that says what a longer step waits for.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use support::event::{Event, EventSink, Kind};
use support::wait::in_words;

/// How long a subject is silent before its step is printed again.
const SILENCE: Duration = Duration::from_secs(15);
/// How often silent subjects are checked.
const TICK: Duration = Duration::from_secs(1);

/// Writes events as lines, each with its subject.
#[derive(Debug)]
pub(super) struct Lines {
    log: Arc<Mutex<Log>>,
    /// Ends the thread when it is dropped.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What has been printed of each subject.
#[derive(Debug, Default)]
struct Log(BTreeMap<String, Subject>);

#[derive(Debug)]
struct Subject {
    since: Instant,
    /// The step that is under way, and since when.
    step: Option<(String, Instant)>,
    /// The progress of the step.
    detail: Option<String>,
    last_line: Instant,
}

impl Lines {
    pub(super) fn new() -> Self {
        let log = Arc::<Mutex<Log>>::default();
        let (stop, stopped) = mpsc::channel();
        let watched = log.clone();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                lock(&watched).silent(Instant::now()).iter().for_each(|line| print(line));
            }
        });
        Self { log, stop: Some(stop), thread: Some(thread) }
    }
}

impl EventSink for Lines {
    fn emit(&self, event: Event) {
        let mut log = lock(&self.log);
        if let Some(line) = log.line(event, Instant::now()) {
            print(&line);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Log {
    /// The line for an event, if it has one.
    fn line(&mut self, Event { subject: name, kind }: Event, now: Instant) -> Option<String> {
        let is_first = !self.0.contains_key(&name);
        let new = || Subject { since: now, step: None, detail: None, last_line: now };
        let subject = self.0.entry(name.clone()).or_insert_with(new);
        let text = match kind {
            Kind::Step(text) => {
                subject.step = Some((text.clone(), now));
                subject.detail = None;
                text
            }
            // A terminal can show every compiled crate in one place; a log cannot.
            Kind::Detail(text) => {
                subject.detail = Some(text);
                return None;
            }
            Kind::Bytes { what, moved, all } => {
                subject.detail = Some(format!("{what}: {} %", moved * 100 / all.max(1)));
                return None;
            }
            // Nothing took time.
            Kind::Done(text) if is_first => text,
            Kind::Done(text) => {
                subject.step = None;
                format!("{text} ({})", in_words(now - subject.since))
            }
            Kind::Failed(text) => {
                subject.step = None;
                format!("failed: {text}")
            }
            Kind::Warning(text) => format!("warning: {text}"),
        };
        subject.last_line = now;
        Some(format!("{name}: {text}"))
    }

    /// Lines for the subjects that have been silent for too long.
    fn silent(&mut self, now: Instant) -> Vec<String> {
        let line = |(name, subject): (&String, &mut Subject)| {
            let (step, since) = subject.step.as_ref()?;
            if now - subject.last_line < SILENCE {
                return None;
            }
            subject.last_line = now;
            let what = subject.detail.as_ref().unwrap_or(step);
            let seconds = Duration::from_secs((now - *since).as_secs());
            Some(format!("{name}: still {what} ({})", in_words(seconds)))
        };
        self.0.iter_mut().filter_map(line).collect()
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

fn print(line: &str) {
    // The work continues even if nobody can read the line.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: Kind) -> Event {
        Event { subject: "events".into(), kind }
    }

    #[test]
    fn details_are_left_out_and_the_rest_reads_as_a_log() {
        let (mut log, now) = (Log::default(), Instant::now());
        let mut line = |kind| log.line(event(kind), now);
        assert_eq!(line(Kind::Step("starting".into())).as_deref(), Some("events: starting"));
        assert_eq!(line(Kind::Detail("1 of 2".into())), None);
        let failed = line(Kind::Failed("no port".into()));
        assert_eq!(failed.as_deref(), Some("events: failed: no port"));
        let warned = line(Kind::Warning("odd".into()));
        assert_eq!(warned.as_deref(), Some("events: warning: odd"));
        assert_eq!(line(Kind::Done("ready".into())).as_deref(), Some("events: ready (0 s)"));
    }

    #[test]
    fn a_long_step_says_every_15_seconds_what_it_waits_for() {
        let (mut log, start) = (Log::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        log.line(event(Kind::Step("connecting".into())), start);
        assert_eq!(log.silent(after(14)), [""; 0]);
        assert_eq!(log.silent(after(15)), ["events: still connecting (15 s)"]);
        log.line(event(Kind::Detail("waiting for SSH: refused".into())), after(16));
        assert_eq!(log.silent(after(29)), [""; 0]);
        assert_eq!(log.silent(after(31)), ["events: still waiting for SSH: refused (31 s)"]);
        log.line(event(Kind::Bytes { what: "uploading".into(), moved: 1, all: 4 }), after(70));
        assert_eq!(log.silent(after(75)), ["events: still uploading: 25 % (1 m 15 s)"]);
        log.line(event(Kind::Done("ready".into())), after(80));
        assert_eq!(log.silent(after(200)), [""; 0]);
    }
}
