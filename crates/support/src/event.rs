//! Reports the progress of work as events. Work emits events and knows nothing of terminals;
//! displays (`progress`) only listen.

use serde::{Deserialize, Serialize};

/// Something that happened to a subject: a service, or the build of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What it is about.
    pub subject: String,
    /// What happened.
    pub kind: Kind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A step began; it lasts until the next event of the subject.
    Step(String),
    /// How the current step goes on; too frequent for a log.
    Detail(String),
    /// The step moves bytes: so many of all so far.
    Bytes {
        /// What is being done.
        what: String,
        /// Bytes moved.
        moved: u64,
        /// Bytes in all.
        all: u64,
    },
    /// The subject has succeeded.
    Done(String),
    /// The subject has failed.
    Failed(String),
    /// Something the user should know; the current step goes on.
    Warning(String),
}

/// Receives events. Implementations must not block.
pub trait EventSink: Send + Sync {
    /// Receives one event.
    fn emit(&self, event: Event);
}

/// Ignores all events.
#[derive(Debug)]
pub struct NullSink;

impl EventSink for NullSink {
    fn emit(&self, _: Event) {}
}

/// Emits the events of one subject.
#[derive(Clone, Copy)]
pub struct Reporter<'a> {
    sink: &'a dyn EventSink,
    subject: &'a str,
}

impl<'a> Reporter<'a> {
    /// A reporter of `subject` to `sink`.
    pub fn new(sink: &'a dyn EventSink, subject: &'a str) -> Self {
        Self { sink, subject }
    }

    /// A step begins.
    pub fn step(&self, what: impl Into<String>) {
        self.emit(Kind::Step(what.into()));
    }

    /// The step goes on.
    pub fn detail(&self, what: impl Into<String>) {
        self.emit(Kind::Detail(what.into()));
    }

    /// So many bytes of all have been moved.
    pub fn bytes(&self, what: &str, moved: u64, all: u64) {
        self.emit(Kind::Bytes { what: what.into(), moved, all });
    }

    /// The subject is done.
    pub fn done(&self, what: impl Into<String>) {
        self.emit(Kind::Done(what.into()));
    }

    /// The subject has failed.
    pub fn failed(&self, what: impl Into<String>) {
        self.emit(Kind::Failed(what.into()));
    }

    /// The user should know.
    pub fn warning(&self, what: impl Into<String>) {
        self.emit(Kind::Warning(what.into()));
    }

    fn emit(&self, kind: Kind) {
        self.sink.emit(Event { subject: self.subject.into(), kind });
    }
}
