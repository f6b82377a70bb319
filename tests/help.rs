//! The help of every command and service, as tests/snapshots/help has it.

use std::collections::BTreeSet;
use std::process::Command;

use clap::CommandFactory;
use eventpost::cli::Cli;

use crate::harness::cli::Ran;
use crate::harness::program;
use crate::harness::snapshot::{assert_text, names};

/// The help that a program prints.
fn help(mut program: Command) -> String {
    // Help shows the values of variables that an option reads.
    program.arg("--help").env_clear().env("NO_COLOR", "1").env("COLUMNS", "100");
    Ran::of(program.output().unwrap()).succeeded().stdout
}

/// Compares the help of a command and of those below it, and returns their names.
fn check(command: &clap::Command, above: &[&str]) -> BTreeSet<String> {
    let path = [above, &[command.get_name()]].concat();
    let mut program = Command::new(env!("CARGO_BIN_EXE_eventpost"));
    program.args(&path[1..]);
    let name = path.join("-");
    assert_text("help", &name, &help(program));
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    below.flat_map(|below| check(below, &path)).chain([name]).collect()
}

#[test]
fn every_command_has_the_help_of_its_snapshot() {
    let commands = check(&Cli::command(), &[]);
    let mut snapshots = names("help");
    snapshots.retain(|name| name.starts_with("eventpost"));
    assert_eq!(snapshots, commands, "remove the snapshots of commands that were removed");
}

#[test]
fn every_service_has_the_help_of_its_snapshot() {
    for service in ["events", "notifications"] {
        for command in ["", "backup", "restore", "read-only"] {
            let mut program = Command::new(program(service));
            program.args((!command.is_empty()).then_some(command));
            let name = format!("service-{service} {command}");
            assert_text("help", name.trim().replace(' ', "-").as_str(), &help(program));
        }
    }
}
