//! Logs and backups of local services.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use super::resources;
use crate::harness::cli::World;
use crate::harness::http::send;
use crate::harness::{EVENT, Signal, signal};

#[test]
fn logs_of_local_services_are_printed_and_followed() {
    let world = World::new();
    world.up().succeeded();
    let both = world.run(&["logs", "--local"]).succeeded().stdout;
    for service in ["events", "notifications"] {
        let says = |line: &str| {
            line.starts_with(&format!("{service} | ")) && line.contains("is listening")
        };
        assert!(both.lines().any(says), "{both}");
    }
    let one = world.run(&["logs", "events", "--local", "--tail", "1"]).succeeded().stdout;
    assert_eq!(one.lines().count(), 1, "{one}");
    assert!(!one.starts_with("events | "), "{one}");

    let args = ["logs", "events", "--local", "-f", "--tail", "1"];
    let mut following = world.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().contains("is listening"));
    world.run(&["down", "--local"]).succeeded();
    assert!(next().contains("finishing the requests"), "what it said after that");
    signal(following.id(), Signal::INT);
    assert_eq!(following.wait().unwrap().code(), Some(130));
}

#[test]
fn logs_command_no_terminal_and_are_passed_on_as_they_are_elsewhere() {
    let world = World::new();
    let says = "#!/bin/sh\nprintf 'before\\033[2J\\302\\233after\\n'\nexit 7\n";
    world.replace_program("notifications", says);
    let up = world.up();
    assert!(up.stderr.contains("before\\u{1b}[2J\\u{9b}after"), "{up:?}");
    let args = ["logs", "notifications", "--local"];
    assert_eq!(world.run(&args).succeeded().stdout, "before\u{1b}[2J\u{9b}after\n");

    // Another program gives the command a terminal.
    let command = world.command(&args);
    let line = format!("{} {}", command.get_program().display(), args.join(" "));
    let mut terminal = world.command(&[]);
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(world.path()).stdin(Stdio::null());
    for (name, value) in terminal.env("TERM", "xterm").get_envs() {
        script.env(name, value.unwrap_or_default());
    }
    let shown = String::from_utf8(script.output().unwrap().stdout).unwrap();
    assert!(shown.contains("before\\u{1b}[2J\\u{9b}after"), "{shown:?}");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{9b}'), "{shown:?}");
}

#[test]
fn an_interrupt_ends_a_command_that_waits_for_an_answer() {
    let world = World::new();
    world.up().succeeded();
    let mut script = world.command(&[]);
    let line = format!("{} down --local --purge", script.get_program().display());
    let mut terminal = Command::new("script");
    for (name, value) in script.env("TERM", "xterm").get_envs() {
        terminal.env(name, value.unwrap_or_default());
    }
    terminal.args(["-qec", &line, "/dev/null"]).current_dir(world.path());
    let mut terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut shown = BufReader::new(terminal.stdout.take().unwrap()).bytes();
    let mut question = Vec::new();
    while !question.ends_with(b"[y/N] ") {
        question.push(shown.next().expect("a question").unwrap());
    }
    // Control-C, and nothing else: the terminal stays open.
    terminal.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    let rest: Vec<_> = shown.map_while(Result::ok).collect();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("interrupted: nothing was changed"), "{rest}");
    assert_eq!(terminal.wait().unwrap().code(), Some(130));
    assert!(world.holder("events").is_some());
}

#[test]
fn local_data_are_backed_up_while_the_services_run_and_restored_while_they_do_not() {
    let world = World::new();
    world.up().succeeded();
    let before = resources(&world, "events");
    world.run(&["backup", "data.backup", "--local"]).succeeded();
    let address = world.holder("events").unwrap().address;
    assert_eq!(send(address, "POST", "/events", Some(EVENT)).status, 201);

    let restore = ["restore", "data.backup", "--local", "--yes"];
    let refused = world.run(&restore);
    world.assert_shown("local", "restore-while-it-runs", &refused);
    world.run(&["down", "--local"]).succeeded();
    world.run(&restore).succeeded();
    world.up().succeeded();
    assert_eq!(resources(&world, "events"), before);

    // A backup of other services is none of this stack's.
    world.describe("stack: test\nservices:\n  events: {build: events}\n");
    let refused = world.run(&restore);
    world.assert_shown("local", "restore-of-other-services", &refused);
    let entries = fs::read_dir(world.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> =
        entries.filter(|name| name.to_string_lossy().starts_with(".eventpost")).collect();
    assert!(left.is_empty(), "{left:?}");
}
