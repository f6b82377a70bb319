//! The command line itself: what it refuses, and how.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::harness::cli::{Ran, World};

/// Addresses at which nothing answers.
const HOSTS: &str = "events=127.0.0.98,notifications=127.0.0.99";

#[test]
fn a_command_that_lacks_something_says_what() {
    let world = World::new();
    for (name, args) in [
        ("seed-without-an-address", &["seed", "--url", "events"][..]),
        ("up-without-an-address", &["up", "--hosts", "events"]),
        ("up-without-one-of-two-hosts", &["up", "--hosts", "events=127.0.0.1"]),
        ("up-with-two-hosts-for-one-service", &["up", "--hosts", "events=::1,events=::2"]),
        ("purge-of-hosts", &["down", "--purge"]),
    ] {
        world.assert_shown("command", name, &world.run(args));
    }
}

#[test]
fn a_description_that_is_wrong_stops_every_command_before_it_begins() {
    let world = World::new();
    world.describe("stack: test\nservices:\n  events: {build: events, prot: 80}\n");
    for command in ["up", "status", "seed", "down"] {
        let ran = world.run(&[command, "--local"]);
        world.assert_shown("command", "unknown-key", &ran);
    }
    assert!(!world.path().join("state").exists());
}

#[test]
fn a_fixtures_file_that_is_wrong_is_named_before_anything_starts() {
    let world = World::new();
    fs::write(world.path().join("notifications.yml"), "- just text\n").unwrap();
    let ran = world.up();
    world.assert_shown("command", "fixtures-that-are-wrong", &ran);
    assert_eq!(world.holder("events"), None);
    for placement in [&["--local"][..], &["--hosts", HOSTS], &[]] {
        let plan = world.run(&[&["plan"], placement].concat());
        world.assert_shown("command", "fixtures-that-are-wrong", &plan);
    }
}

#[test]
fn addresses_of_hosts_are_checked_with_the_rest_of_the_file() {
    let world = World::new();
    world.describe(
        "stack: test\nhosts: {events: somewhere, users: 127.0.0.1}\nservices:\n  \
         events: {build: events}\n  notifications: {build: notifications}\n",
    );
    let ran = world.run(&["plan"]);
    world.assert_shown("command", "hosts-that-are-wrong", &ran);
}

#[test]
fn a_command_that_only_looks_at_hosts_creates_no_key() {
    let world = World::new();
    for command in [&["plan"][..], &["deploy", "--dry-run"], &["deploy"], &["history"]] {
        let ran = world.run(&[command, &["--hosts", HOSTS]].concat());
        world.assert_shown("command", "no-key", &ran);
    }
    assert_eq!(world.run(&["doctor", "--hosts", HOSTS]).code, Some(3));
    assert!(!world.path().join("state/eventpost/keys").exists());
}

#[test]
fn a_command_that_waits_for_the_hosts_of_the_lock_says_so() {
    let world = World::new();
    let key = world.path().join("state/eventpost/keys/test");
    ssh::Identity::generate().unwrap().store(&key).unwrap();
    let mut up = world.command(&["up", "--hosts", HOSTS]);
    let mut up = up.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(up.stderr.take().unwrap()).lines().map(Result::unwrap);
    let printed: Vec<_> = lines.take(1).collect();
    up.kill().unwrap();
    up.wait().unwrap();
    assert_eq!(printed, ["lock: connecting"]);
}

#[test]
fn a_service_without_program_or_sources_says_where_it_looked() {
    let world = World::new();
    fs::remove_file(world.path().join("notifications")).unwrap();
    let ran = world.up();
    world.assert_shown("command", "service-without-program", &ran);
    assert_eq!(world.holder("events"), None);
}

#[test]
fn an_image_cannot_run_locally() {
    let world = World::new();
    world.describe("stack: test\nservices:\n  events: {image: a/b:1}\n");
    let ran = world.up();
    world.assert_shown("command", "image-on-this-machine", &ran);
}

#[test]
fn nowhere_to_keep_state_is_said() {
    let world = World::new();
    let output = world
        .command(&["status", "--local"])
        .env_remove("XDG_STATE_HOME")
        .env_remove("HOME")
        .output()
        .unwrap();
    world.assert_shown("command", "no-state-folder", &Ran::of(output));
}

#[test]
fn shells_manuals_and_editors_are_given_what_they_need() {
    let world = World::new();
    let script = world.run(&["completions", "bash"]).succeeded().stdout;
    fs::write(world.path().join("completions.bash"), script).unwrap();
    let line = "source ./completions.bash; COMP_WORDS=(eventpost ba); COMP_CWORD=1; \
                _eventpost eventpost ba eventpost; echo ${COMPREPLY[@]}";
    let bash = Command::new("bash").args(["-c", line]).current_dir(world.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "backup", "{bash:?}");

    world.run(&["man", "pages"]).succeeded();
    let page = fs::read_to_string(world.path().join("pages/eventpost-up.1")).unwrap();
    assert!(page.contains("\\-\\-terminate\\-first"), "{page}");
    assert!(world.path().join("pages/eventpost.1").is_file());

    let schema = world.run(&["schema"]).succeeded().json();
    assert_eq!(schema["title"], "eventpost.yml");
}

#[test]
#[cfg_attr(not(feature = "aws"), ignore = "needs AWS's SDK")]
fn a_first_description_is_written_and_never_over_another() {
    let world = World::new();
    let refused = world.run(&["init"]);
    world.assert_shown("command", "init-over-another", &refused);
    let mut command = world.command(&["init", "mine.yml", "--stack", "mine"]);
    command.env("AWS_REGION", "eu-west-1").env("AWS_ACCESS_KEY_ID", "a");
    command.env("AWS_SECRET_ACCESS_KEY", "b").env("AWS_EC2_METADATA_DISABLED", "true");
    let ran = Ran::of(command.output().unwrap()).succeeded();
    world.assert_shown("command", "init", &ran);
    let text = fs::read_to_string(world.path().join("mine.yml")).unwrap();
    assert!(text.contains("\nstack: mine\n") && text.contains("\nregion: eu-west-1\n"), "{text}");
}
