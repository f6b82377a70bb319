//! The notifications service.

use std::process::ExitCode;

fn main() -> ExitCode {
    rest::run::<notifications::Notification, notifications::Delivery>(
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_DESCRIPTION"),
    )
}
