//! Who may use a service, with real programs and real tokens.

mod browsers;
mod reload;
mod roles;
mod settings;

use std::path::Path;
use std::process::Command;

use crate::harness::tokens::Tokens;
use crate::harness::{Service, program};

/// Not a token of anybody.
const WRONG: &str = "Authorization: Bearer eventpost_0000\r\n";

const NOTIFICATION: &str = r#"{"subject": "About an event",
    "content": "The event that you asked about begins soon.",
    "to_mail": "a@example.org", "scheduled_time": "2999-12-12T20:50:12"}"#;

/// The command of a service that reads its tokens from a file in a folder.
fn with_file(service: &str, tokens: &Tokens, dir: &Path) -> Command {
    let file = dir.join("tokens");
    tokens.write(&file);
    let mut command = Command::new(program(service));
    command.arg("--access-tokens-file").arg(file);
    command
}

/// A service with tokens.
fn start(service: &str, tokens: &Tokens, dir: &Path) -> Service {
    Service::start_command(with_file(service, tokens, dir), &dir.join("data"))
}
