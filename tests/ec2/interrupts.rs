//! Ctrl-C at each step, and two commands of one machine at the same time.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;

use super::ONE;
use crate::harness::region::Stack;
use crate::harness::{Signal, signal, wait_for};

/// Reads on until a step is reported, and returns what is left to read.
pub(super) fn wait_for_step(up: &mut Child, step: &str) -> impl Read + use<> {
    let mut lines = BufReader::new(up.stderr.take().unwrap());
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if line.contains(step) {
            return lines;
        }
        line.clear();
    }
    panic!("the step `{step}` never came");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn an_interrupted_up_is_gone_on_with_and_down_leaves_nothing() {
    let stack = Stack::new("interrupted", ONE);
    let mut kept = None;
    for step in
        ["launching", "connecting", "installing Docker", "starting the container", "seeding"]
    {
        let mut up = stack.begin(&["up"]);
        // A run that goes on with a host does not launch one.
        let mut rest = wait_for_step(&mut up, step);
        signal(up.id(), Signal::INT);
        let mut text = String::new();
        rest.read_to_string(&mut text).unwrap();
        let code = up.wait().unwrap().code();
        if code == Some(0) {
            // It was done before the signal came: seeding takes milliseconds.
            assert_eq!(step, "seeding", "{text}");
        } else {
            assert_eq!(code, Some(130), "{step}: {text}");
        }
        let now = stack.instances();
        assert!(now.len() <= 1, "{step}: {now:?}");
        if let Some(id) = now.first() {
            assert_eq!(kept.get_or_insert(id.clone()), id, "{step}: a second host was launched");
        }
    }
    if stack.status()[0]["health"] != "healthy" {
        stack.run(&["up", "--yes"]).succeeded();
    }
    assert_eq!(stack.instances().len(), 1);
    stack.run(&["down", "--yes"]).succeeded();
    assert!(stack.instances().is_empty());
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_second_command_at_the_same_time_is_refused() {
    let stack = Stack::new("twice", ONE);
    let mut first = stack.begin(&["up"]);
    wait_for("the first to launch", || stack.instances().pop());
    for args in [&["up"][..], &["down", "--yes"]] {
        let second = stack.run(args);
        assert_eq!(second.code, Some(1), "{second:?}");
        assert!(second.stderr.contains("another eventpost is changing"), "{second:?}");
    }
    assert_eq!(stack.instances().len(), 1);
    signal(first.id(), Signal::TERM);
    assert_eq!(first.wait().unwrap().code(), Some(143));
}
