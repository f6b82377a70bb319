//! This module owns how the work's events are shown, always on standard error: as
//! live lines on a terminal ([`bars`]), as plain lines elsewhere ([`lines`]).

mod bars;
mod lines;

use std::io::IsTerminal;

use crate::event::EventSink;

/// The display that fits where standard error goes.
pub fn display() -> Box<dyn EventSink> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if std::io::stderr().is_terminal() && !dumb {
        Box::new(bars::Bars::new())
    } else {
        Box::new(lines::Lines::new())
    }
}
