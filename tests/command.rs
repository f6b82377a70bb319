//! The command line itself: what it refuses, and how.

use std::fs;
use std::process::Command;

use crate::harness::cli::{Ran, World};

#[test]
fn a_command_that_lacks_something_says_what() {
    let world = World::new();
    for (args, missing) in [
        (vec!["seed", "--url", "events"], "events=http://HOST:PORT"),
        (vec!["up", "--hosts", "events"], "events=203.0.113.10"),
        (vec!["up", "--hosts", "events=127.0.0.1"], "there is no address for notifications"),
        (vec!["down", "--purge"], "--local"),
    ] {
        let ran = world.run(&args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(missing), "{args:?}: {ran:?}");
    }
}

#[test]
fn a_description_that_is_wrong_stops_every_command_before_it_begins() {
    let world = World::new();
    world.describe("stack: test\nservices:\n  events: {build: events, prot: 80}\n");
    for command in ["up", "status", "seed", "down"] {
        let ran = world.run(&[command, "--local"]);
        assert_eq!(ran.code, Some(78), "{command}: {ran:?}");
        let problem = "eventpost.yml: line 3: services.events.prot: is not a key here; did you \
            mean `port`?";
        assert!(ran.stderr.contains(problem), "{command}: {ran:?}");
        assert_eq!(ran.stdout, "");
    }
    assert!(!world.path().join("state").exists());
}

#[test]
fn a_fixtures_file_that_is_wrong_is_named_before_anything_starts() {
    let world = World::new();
    fs::write(world.path().join("notifications.yml"), "- just text\n").unwrap();
    let ran = world.up();
    assert_eq!(ran.code, Some(78), "{ran:?}");
    assert!(ran.stderr.contains("notifications.yml: item 1 must be a mapping"), "{ran:?}");
    assert_eq!(world.holder("events"), None);
}

#[test]
fn a_service_without_program_or_sources_says_where_it_looked() {
    let world = World::new();
    fs::remove_file(world.path().join("notifications")).unwrap();
    let ran = world.up();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("services.notifications.build"), "{ran:?}");
    assert!(ran.stderr.contains("notifications/Cargo.toml"), "{ran:?}");
    assert_eq!(world.holder("events"), None);
}

#[test]
fn an_image_cannot_run_locally() {
    let world = World::new();
    world.describe("stack: test\nservices:\n  events: {image: a/b:1}\n");
    let ran = world.up();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("services.events: is the image a/b:1"), "{ran:?}");
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
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("--state-dir"), "{stderr}");
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
fn a_first_description_is_written_and_never_over_another() {
    let world = World::new();
    let refused = world.run(&["init"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("eventpost.yml exists already"), "{refused:?}");
    let mut command = world.command(&["init", "mine.yml", "--stack", "mine"]);
    command.env("AWS_REGION", "eu-west-1").env("AWS_ACCESS_KEY_ID", "a");
    command.env("AWS_SECRET_ACCESS_KEY", "b").env("AWS_EC2_METADATA_DISABLED", "true");
    let ran = Ran::of(command.output().unwrap()).succeeded();
    assert!(ran.stderr.contains("mine.yml is there"), "{ran:?}");
    let text = fs::read_to_string(world.path().join("mine.yml")).unwrap();
    assert!(text.contains("\nstack: mine\n") && text.contains("\nregion: eu-west-1\n"), "{text}");
}
