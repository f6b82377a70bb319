//! What is wrong before anything is made.

use std::fs;

use serde_json::json;

use super::ONE;
use crate::harness::cli::Ran;
use crate::harness::region::{Stack, elements};

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn missing_credentials_say_how_to_get_some() {
    let stack = Stack::new("nobody", ONE);
    let mut command = stack.command(&["status"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let ran = Ran::of(command.env("HOME", stack.world.path()).output().unwrap());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("no usable AWS credentials"), "{ran:?}");
    assert!(ran.stderr.contains("AWS_PROFILE"), "{ran:?}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn everything_that_is_wrong_is_said_at_once() {
    let stack = Stack::new("wrong", ONE);
    let path = stack.world.path().join("eventpost.yml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("image: ami-00000000\nssh: {{key: nowhere}}\n{text}")).unwrap();
    let ran = stack.run(&["up"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("2 problems:"), "{ran:?}");
    assert!(ran.stderr.contains("ssh.key: nowhere cannot be read"), "{ran:?}");
    assert!(ran.stderr.contains("DescribeImages failed"), "{ran:?}");
    assert!(stack.instances().is_empty());
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_missing_permission_is_found_before_anything_is_made() {
    let stack = Stack::new("forbidden", ONE);
    stack.faults(&json!({"api": [{"action": "RunInstances", "code": "UnauthorizedOperation",
        "status": 403, "message": "You are not authorized to perform this operation."}]}));
    let ran = stack.run(&["up"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("RunInstances failed: You are not authorized"), "{ran:?}");
    assert!(ran.stderr.contains("docs/aws.md"), "{ran:?}");
    let groups =
        "Action=DescribeSecurityGroups&Filter.1.Name=group-name&Filter.1.Value.1=forbidden";
    assert!(elements(&stack.call(groups), "groupId").is_empty(), "nothing may have been made");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn seeding_without_hosts_says_so() {
    let stack = Stack::new("empty", ONE);
    let ran = stack.run(&["seed"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("events has no host: `eventpost up` launches one"), "{ran:?}");
    // Ending nothing is done at once.
    stack.run(&["down", "--yes"]).succeeded();
}
