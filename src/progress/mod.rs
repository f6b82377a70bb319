//! Displays the events of the work, always on standard error: as live lines on a terminal
//! ([`bars`]), as plain lines elsewhere ([`lines`]).

mod bars;
mod lines;

use std::io::IsTerminal;

use support::event::{Event, EventSink, Kind};

use crate::terminal;

/// The display that suits standard error.
pub fn display() -> Box<dyn EventSink> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if std::io::stderr().is_terminal() && !dumb {
        Box::new(Escaped(bars::Bars::new()))
    } else {
        Box::new(Escaped(lines::Lines::new()))
    }
}

/// Writes to standard error above the live lines, if there are any.
pub fn above<T>(write: impl FnOnce() -> T) -> T {
    bars::suspended(write)
}

/// Passes each text of an event to a display as one line of limited length and without control
/// characters: output of hosts and answers of services are among them.
struct Escaped<D>(D);

impl<D: EventSink> EventSink for Escaped<D> {
    fn emit(&self, Event { subject, kind }: Event) {
        let shown = |text: String| terminal::bounded_line(&text);
        let kind = match kind {
            Kind::Step(text) => Kind::Step(shown(text)),
            Kind::Detail(text) => Kind::Detail(shown(text)),
            Kind::Bytes { what, moved, all } => Kind::Bytes { what: shown(what), moved, all },
            Kind::Done(text) => Kind::Done(shown(text)),
            Kind::Failed(text) => Kind::Failed(shown(text)),
            Kind::Warning(text) => Kind::Warning(shown(text)),
        };
        self.0.emit(Event { subject: shown(subject), kind });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Recorder(Mutex<Vec<Event>>);

    impl EventSink for Recorder {
        fn emit(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    #[test]
    fn a_display_gets_no_control_characters() {
        let display = Escaped(Recorder(Mutex::default()));
        let text = || "\u{1b}]0;owned\u{7}\n".to_owned();
        let kinds = [
            Kind::Step(text()),
            Kind::Detail(text()),
            Kind::Bytes { what: text(), moved: 1, all: 2 },
            Kind::Done(text()),
            Kind::Failed(text()),
            Kind::Warning(text()),
        ];
        for kind in kinds {
            display.emit(Event { subject: text(), kind });
        }
        let seen = display.0.0.into_inner().unwrap();
        assert_eq!(seen.len(), 6);
        for event in seen {
            let text = match event.kind {
                Kind::Bytes { what: text, .. }
                | Kind::Step(text)
                | Kind::Detail(text)
                | Kind::Done(text)
                | Kind::Failed(text)
                | Kind::Warning(text) => text,
            };
            assert_eq!([event.subject, text], ["\\u{1b}]0;owned\\u{7}\\n"; 2]);
        }
    }
}
