//! What services, builds and other users of the machine get to see.

use std::fs;
use std::process::Command;

use crate::harness::cli::{Ran, World};
use crate::harness::http::answer_with;
use crate::harness::{assert_private, without_umask};

#[test]
fn services_get_their_own_environment_and_not_the_shell_s() {
    let world = World::new();
    world.describe(
        "stack: test\nservices:\n  events: {build: events, env: {ACCESS_LOG: all}}\n  \
         notifications: {build: notifications}\n",
    );
    let port = world.port.to_string();
    let mut up = world.command(&["up", "--local", "--no-seed", "--port-base", &port]);
    up.env("AWS_SECRET_ACCESS_KEY", "of-the-operator").env("EVENTPOST_TOKEN", "of-the-operator");
    // A variable that the service itself would read.
    up.env("ALLOW_ORIGINS", "no origin at all").env("TZ", "UTC");
    Ran::of(up.output().unwrap()).succeeded();
    let environment = |service| {
        let pid = world.holder(service).unwrap().pid;
        let text = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect::<Vec<_>>()
    };
    let of_events = environment("events");
    assert!(of_events.contains(&"ACCESS_LOG=all".into()), "{of_events:?}");
    assert!(of_events.contains(&"TZ=UTC".into()), "{of_events:?}");
    let allowed = [
        "ACCESS",
        "ACCESS_LOG",
        "LD_LIBRARY_PATH",
        "PATH",
        "RUST_BACKTRACE",
        "RUST_LOG",
        "TMPDIR",
        "TZ",
    ];
    for variable in of_events.iter().chain(&environment("notifications")) {
        let name = variable.split('=').next().unwrap();
        assert!(allowed.contains(&name), "{name} came from the shell");
    }
}

#[test]
fn a_build_gets_the_environment_without_credentials() {
    let world = World::new();
    fs::create_dir(world.path().join("source")).unwrap();
    fs::write(world.path().join("source/Cargo.toml"), "").unwrap();
    world.describe("stack: test\nservices:\n  events: {build: source}\n");
    world.replace_program("cargo", "#!/bin/sh\nenv >seen\nexit 1\n");
    let mut up = world.command(&["up", "--local", "--port-base", &world.port.to_string()]);
    up.env("CARGO", world.path().join("cargo")).env("AWS_REGION", "eu-west-1");
    up.env("AWS_ACCESS_KEY_ID", "of-the-operator").env("AWS_SESSION_TOKEN", "of-the-operator");
    let ran = Ran::of(up.output().unwrap());
    world.assert_shown("local", "build-fails", &ran);
    let seen = fs::read_to_string(world.path().join("seen")).unwrap();
    assert!(seen.contains("AWS_REGION=eu-west-1"), "{seen}");
    assert!(!seen.contains("of-the-operator"), "{seen}");
}

#[test]
fn files_of_a_local_stack_are_private_with_any_umask() {
    let world = World::new();
    let port = world.port.to_string();
    let up = ["up", "--local", "--port-base", &port];
    let run = |args: &[&str]| Ran::of(without_umask(&world.command(args)).output().unwrap());
    run(&up).succeeded();
    let state = world.path().join("state");
    let kept = assert_private(&state);
    assert!(kept > 12, "{kept}");
    run(&["doctor", "--local", "--bundle", "help.tgz"]).succeeded();
    assert_private(&world.path().join("help.tgz"));

    // As an earlier version left it.
    world.run(&["down", "--local"]).succeeded();
    let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(&state).status();
    assert!(opened.unwrap().success());
    run(&up).succeeded();
    // What the user has made is no concern of the command's.
    assert_private(&state.join("eventpost"));
}

#[test]
fn a_service_s_answers_command_no_terminal() {
    let world = World::new();
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J";
    // It says that it is ready and that it holds nothing, and refuses what is posted.
    let address = answer_with(move |request| match request {
        _ if request.starts_with("POST ") => (500, hostile),
        _ if request.starts_with("GET /events ") => (200, "[]"),
        _ => (200, "{}"),
    });
    let seeded = world.run(&["seed", "--url", &format!("events=http://{address}")]);
    world.assert_shown("local", "answer-with-escapes", &seeded);
    assert!(!seeded.stderr.contains('\u{1b}') && !seeded.stderr.contains('\u{7}'), "{seeded:?}");
}
