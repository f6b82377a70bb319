//! The events service.

use std::process::ExitCode;

fn main() -> ExitCode {
    rest::run::<events::Event, events::EventsExtension>(
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_DESCRIPTION"),
    )
}
