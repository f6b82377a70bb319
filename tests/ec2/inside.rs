//! Looking inside: logs, commands and shells on hosts.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use super::ONE;
use crate::harness::cli::Ran;
use crate::harness::region::Stack;
use crate::harness::{Signal, signal};

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_host_is_looked_into_over_the_checked_connection() {
    let stack = Stack::new("inside", ONE);
    stack.run(&["up"]).succeeded();
    commands(&stack);
    logs(&stack);
    shell(&stack);

    // A host with another key is sent nothing.
    let instance = stack.instances().remove(0);
    stack.call(&format!(
        "Action=CreateTags&ResourceId.1={instance}&Tag.1.Key=eventpost:host-keys&Tag.1.Value=\
         AAAAC3NzaC1lZDI1NTE5AAAAIGWvmAhdQ0Wv1VzJ0ZgXFr6KXvLMuDVeeVYV0sNtD0lK"
    ));
    for args in [&["exec", "events", "--", "true"][..], &["logs"], &["ssh", "events"]] {
        let refused = stack.run(args);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("is not the expected one"), "{refused:?}");
    }
    stack.run(&["down", "--yes"]).succeeded();
}

fn commands(stack: &Stack) {
    let ran = stack.run(&["exec", "events", "--", "echo out; echo wrong >&2; exit 7"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), "out\n"), "{ran:?}");
    assert_eq!(ran.stderr, "wrong\n");
    let ran = stack.run(&["exec", "events", "--", "printf", "%s.", "a b", "$HOME", "'"]);
    assert_eq!(ran.succeeded().stdout, "a b.$HOME.'.");
    let bytes = stack.run(&["exec", "events", "--", "head -c 3000000 /dev/zero | tr '\\0' x"]);
    assert_eq!(bytes.succeeded().stdout.len(), 3_000_000);
    let killed = stack.run(&["exec", "events", "--", "kill -9 $$"]);
    assert!(killed.code.is_some_and(|code| code >= 128), "{killed:?}");
    let unknown = stack.run(&["exec", "event", "--", "true"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("has no service event, only events"), "{unknown:?}");
}

fn logs(stack: &Stack) {
    let all = stack.run(&["logs", "events"]).succeeded().stdout;
    assert!(all.contains("events is listening"), "{all}");
    assert_eq!(stack.run(&["logs", "events", "--tail", "1"]).succeeded().stdout.lines().count(), 1);
    let mut following = stack.begin(&["logs", "-f", "--tail", "1"]);
    let mut line = String::new();
    BufReader::new(following.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(Some(line.trim_end()), all.lines().last());
    signal(following.id(), Signal::INT);
    let ran = Ran::of(following.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
}

fn shell(stack: &Stack) {
    let mut command = stack.command(&["ssh", "events"]);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = piped.spawn().unwrap();
    let typed = b"echo I am $(whoami); sudo docker ps --format '{{.Names}}'; exit 5\n";
    shell.stdin.take().unwrap().write_all(typed).unwrap();
    let ran = Ran::of(shell.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(ran.stdout.contains("I am ubuntu\neventpost-events\n"), "{ran:?}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn two_stacks_of_one_description_live_side_by_side() {
    let stack = Stack::new("env-a", ONE);
    // The group is named after the stack, whichever that is.
    let text = std::fs::read_to_string(stack.world.path().join("eventpost.yml")).unwrap();
    stack.world.describe(&text.replace("name: env-a, ", ""));
    stack.run(&["up"]).succeeded();
    let first = stack.instances();
    stack.run(&["up", "--stack", "env-b"]).succeeded();
    let both = [&[][..], &["--stack", "env-b"]].map(|more| {
        let args: Vec<_> = ["status", "--output", "json"].iter().chain(more).copied().collect();
        stack.run(&args).succeeded().json()[0]["instance"].clone()
    });
    assert_eq!(both[0], first[0].as_str());
    assert_ne!(both[1], both[0]);
    stack.run(&["down", "--yes"]).succeeded();
    let other = stack.run(&["status", "--stack", "env-b"]).succeeded();
    assert!(other.stdout.contains("healthy"), "{other:?}");
    stack.run(&["down", "--yes", "--stack", "env-b"]).succeeded();
    assert_eq!(stack.run(&["status", "--stack", "env-b"]).code, Some(3));
    assert_eq!(stack.run(&["status", "--stack", "No such"]).code, Some(2));
}
