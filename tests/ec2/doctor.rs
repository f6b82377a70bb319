//! What `doctor` finds wrong, and that it finds the cause.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::region::{Stack, elements, on_host};

const SERVICE: &str = "  events: {build: events, env: {API_TOKEN: very-secret-value}}\n";

/// What it says is the cause: what it looked at, what it found, and how to fix it.
fn cause(stack: &Stack) -> (String, String, String) {
    let ran = stack.run(&["doctor", "--output", "json"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let cause = ran.json()["cause"].clone();
    let text = |key: &str| cause[key].as_str().unwrap().to_owned();
    (text("subject"), text("found"), text("fix"))
}

/// The result of a check of the service.
fn verdict(stack: &Stack, subject: &str) -> String {
    let found = stack.run(&["doctor", "--output", "json"]).json();
    let checks = found["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["subject"] == subject).unwrap();
    check["verdict"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn the_cause_is_found_from_the_credentials_to_the_container() {
    let stack = Stack::new("doctor", SERVICE);
    let (subject, _, fix) = cause(&stack);
    assert_eq!((subject.as_str(), fix.contains("eventpost up")), ("host", true));
    stack.run(&["up"]).succeeded();
    let id = stack.instances().remove(0);

    let fine = stack.run(&["doctor", "--bundle", "help.tgz"]).succeeded();
    assert!(fine.stdout.ends_with("No problems found.\n"), "{fine:?}");
    check_bundle(&stack);

    on_host(&id, &["docker", "kill", "eventpost-events"]);
    let (subject, found, fix) = cause(&stack);
    assert_eq!(subject, "container");
    assert!(found.contains("exit code 137") && fix.contains("`eventpost logs events`"), "{found}");
    let printed = stack.run(&["doctor"]).stdout;
    assert!(printed.contains("\nCause: events: container: is exited"), "{printed}");
    stack.run(&["deploy"]).succeeded();

    // What a switch leaves that is cut short between two commands.
    let filter = ["-w", "-t", "raw", "PREROUTING", "-p", "tcp", "--syn", "--dport", "80"];
    let iptables = |how: &str| {
        let rule = [&["iptables"], &filter[..3], &[how], &filter[3..], &["-j", "DROP"]].concat();
        on_host(&id, &rule)
    };
    iptables("-I");
    assert_eq!(cause(&stack).0, "packet filter");
    iptables("-D");

    on_host(&id, &["systemctl", "stop", "docker.socket", "docker"]);
    let (subject, found, _) = cause(&stack);
    assert_eq!(subject, "Docker");
    assert!(found.contains("Cannot connect to the Docker daemon"), "{found}");
    assert_eq!(verdict(&stack, "container"), "unknown");
    on_host(&id, &["systemctl", "start", "docker"]);

    // A host that cannot be logged in to, and whose security group says why.
    on_host(&id, &["systemctl", "stop", "ssh"]);
    assert_eq!(cause(&stack).0, "SSH");
    close_port(&stack, 22);
    let (subject, found, fix) = cause(&stack);
    assert_eq!(subject, "security group");
    assert!(found.contains("does not open port 22") && fix.contains("--port 22"), "{found}");

    let expired = serde_json::json!({"action": "*", "code": "ExpiredToken"});
    stack.faults(&serde_json::json!({"api": [expired]}));
    let (subject, found, _) = cause(&stack);
    assert_eq!(subject, "credentials");
    assert!(found.contains("have expired"), "{found}");
    stack.faults(&serde_json::json!({}));
    stack.run(&["down", "--yes"]).succeeded();
}

fn close_port(stack: &Stack, port: u16) {
    let name = &stack.name;
    let groups = stack.call(&format!(
        "Action=DescribeSecurityGroups&Filter.1.Name=group-name&Filter.1.Value.1={name}"
    ));
    let group = elements(&groups, "groupId").remove(0);
    stack.call(&format!(
        "Action=RevokeSecurityGroupIngress&GroupId={group}&IpPermissions.1.IpProtocol=tcp\
         &IpPermissions.1.FromPort={port}&IpPermissions.1.ToPort={port}\
         &IpPermissions.1.IpRanges.1.CidrIp=127.0.0.0/8"
    ));
}

/// The archive has what helps, and nothing that must not get out.
fn check_bundle(stack: &Stack) {
    let folder = stack.world.path();
    let unpacked = Command::new("tar").args(["xzf", "help.tgz"]).current_dir(folder).status();
    assert!(unpacked.unwrap().success());
    let read = |name: &str| fs::read_to_string(folder.join("eventpost-doctor").join(name)).unwrap();
    let checks: Value = serde_json::from_str(&read("checks.json")).unwrap();
    assert_eq!(checks["cause"], Value::Null);
    let host = read("events/host.txt");
    for part in ["== docker logs", "events is listening", "== df -h", "== journalctl -u docker"] {
        assert!(host.contains(part), "{part}: {host}");
    }
    let description = read("description.yml");
    assert!(description.contains("API_TOKEN: [removed]"), "{description}");
    for text in [host, description, read("events/console.txt"), checks.to_string()] {
        assert!(!text.contains("very-secret-value") && !text.contains("PRIVATE KEY"), "{text}");
    }
}
