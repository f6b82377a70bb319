//! The right to change a stack, which one command has at a time, on whichever machine.

use super::ONE;
use crate::harness::cli::Ran;
use crate::harness::region::{Stack, elements, on_host};
use crate::harness::{Signal, signal, wait_for};

/// The id of the key pair that the lock is.
fn lock(stack: &Stack) -> Option<String> {
    let found = stack.call(&format!(
        "Action=DescribeKeyPairs&Filter.1.Name=tag:eventpost:lock&Filter.1.Value.1={}",
        stack.name
    ));
    elements(&found, "keyPairId").pop()
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_command_of_another_machine_is_refused_until_the_lock_is_given_back_or_broken() {
    let stack = Stack::new("lock", ONE);
    // What another machine has of the stack: nothing but credentials.
    let other = stack.world.path().join("other");
    let other = other.to_str().unwrap();
    let elsewhere = |args: &[&str]| stack.run(&[args, &["--state-dir", other]].concat());

    let mut up = stack.begin(&["up"]);
    wait_for("the lock to be taken", || lock(&stack));
    for args in [&["up"][..], &["down", "--yes"], &["deploy"]] {
        let refused = elsewhere(args);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(&format!("(pid {})", up.id())), "{refused:?}");
        assert!(refused.stderr.contains("is changing this stack (`up`, for "), "{refused:?}");
    }
    let asked = elsewhere(&["unlock"]);
    assert_eq!(asked.code, Some(2), "nobody can be asked: {asked:?}");
    signal(up.id(), Signal::INT);
    assert_eq!(up.wait().unwrap().code(), Some(130));
    assert_eq!(lock(&stack), None, "an interrupt gives it back");

    let mut up = stack.begin(&["up"]);
    wait_for("the lock to be taken", || lock(&stack));
    signal(up.id(), Signal::KILL);
    up.wait().unwrap();
    assert_eq!(elsewhere(&["down", "--yes"]).code, Some(1), "it may still be at work");
    let broken = elsewhere(&["unlock", "--yes", "--output", "json"]).succeeded().json();
    assert_eq!((&broken[0]["purpose"], &broken[0]["outcome"]), (&"up".into(), &"broken".into()));
    assert_eq!(elsewhere(&["unlock"]).succeeded().stdout.lines().count(), 1);

    // An expired lock is broken by the next command.
    let mut up = stack.begin(&["up"]);
    let id = wait_for("the lock to be taken", || lock(&stack));
    signal(up.id(), Signal::KILL);
    up.wait().unwrap();
    stack.call(&format!(
        "Action=CreateTags&ResourceId.1={id}&Tag.1.Key=eventpost:lock-expires&Tag.1.Value=1"
    ));
    let down = elsewhere(&["down", "--yes"]).succeeded();
    assert!(down.stderr.contains("broke the expired lock of "), "{down:?}");
    assert_eq!(lock(&stack), None);
    assert!(stack.instances().is_empty());
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn machines_that_exist_keep_their_lock_themselves() {
    let stack = Stack::new("lock-hosts", ONE);
    stack.run(&["up"]).succeeded();
    let row = stack.status().remove(0);
    let (id, address) = (row["instance"].as_str().unwrap(), row["address"].as_str().unwrap());
    let key = stack.world.path().join("state/eventpost/keys/lock-hosts");
    let text = format!("stack: other\nssh: {{key: {}}}\nservices:\n{ONE}", key.display());
    stack.world.describe(&text);
    let home = stack.home_that_knows(id, address);
    let hosts = format!("events={address}");
    let run = |args: &[&str]| {
        let mut command = stack.world.command(&[args, &["--hosts", &hosts]].concat());
        Ran::of(command.env("HOME", &home).output().unwrap())
    };
    let file = "/var/lib/eventpost/lock";
    let left = |text: &str| {
        on_host(id, &["sh", "-c", &format!("printf '{text}' > {file}")]);
    };

    run(&["up"]).succeeded();
    assert_eq!(on_host(id, &["cat", file]), "", "it was given back");
    left("1f\\tme@elsewhere (pid 7)\\trestore\\t1\\t9999999999\\n");
    for command in ["up", "deploy"] {
        let refused = run(&[command]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let owner = "me@elsewhere (pid 7) is changing this stack (`restore`, for ";
        assert!(refused.stderr.contains(owner), "{refused:?}");
    }
    run(&["unlock", "--yes"]).succeeded();
    run(&["deploy"]).succeeded();
    // A lock that expired long ago is not waited for.
    left("1f\\tme@elsewhere (pid 7)\\trestore\\t1\\t2\\n");
    run(&["deploy"]).succeeded();
    assert_eq!(on_host(id, &["cat", file]), "");
}
