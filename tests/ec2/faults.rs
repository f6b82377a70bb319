//! What goes wrong in a region and on its hosts.

use serde_json::json;

use super::{BOTH, ONE};
use crate::harness::cli::Ran;
use crate::harness::region::{Stack, docker, on_host};
use crate::harness::wait_for;

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn throttled_calls_and_instances_that_are_not_visible_yet_are_ridden_out() {
    let stack = Stack::new("throttled", ONE);
    stack.faults(&json!({"api": [
        {"action": "*", "code": "RequestLimitExceeded", "status": 503, "share": 0.3},
        {"action": "DescribeInstances", "code": "InvalidInstanceID.NotFound", "after": 1, "times": 3},
    ]}));
    stack.run(&["up"]).succeeded();
    stack.faults(&json!({}));
    assert_eq!(stack.instances().len(), 1);
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_host_that_cannot_be_had_leaves_the_other_for_the_next_run() {
    let stack = Stack::new("capacity", BOTH);
    // The first call only asks whether a launch is allowed.
    let none_left = json!({"api": [{"action": "RunInstances", "after": 2,
        "code": "InsufficientInstanceCapacity", "status": 500}]});
    stack.faults(&none_left);
    let failed = stack.run(&["up"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("AWS has no capacity of this type"), "{failed:?}");
    let kept = stack.instances();
    assert_eq!(kept.len(), 1);
    assert!(failed.stderr.contains(&format!("Kept: {}", kept[0])), "{failed:?}");

    stack.faults(&json!({}));
    stack.run(&["up"]).succeeded();
    let both = stack.instances();
    assert!(both.len() == 2 && both.contains(&kept[0]), "{kept:?} {both:?}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_host_that_is_late_and_then_busy_is_waited_for() {
    let stack = Stack::new("late", ONE);
    stack.faults(&json!({"host": {"ssh_delay": 20, "apt_lock": 20}}));
    stack.run(&["up"]).succeeded();
    assert_eq!(stack.status()[0]["health"], "healthy");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_host_that_dies_while_docker_is_installed_is_named() {
    let stack = Stack::new("dies", ONE);
    let up = stack.begin(&["up"]);
    let id = wait_for("the installation to begin", || {
        let id = stack.instances().pop()?;
        on_host(&id, &["pgrep", "-a", "apt-get"]).contains("install").then_some(id)
    });
    assert!(docker().args(["kill", &id]).status().unwrap().success());
    let failed = Ran::of(up.wait_with_output().unwrap());
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(
        failed.stderr.contains(&format!("events ({id}): while installing Docker")),
        "{failed:?}"
    );
    assert!(failed.stderr.contains(&format!("Kept: {id}")), "{failed:?}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_host_with_another_key_is_refused_and_nothing_is_sent() {
    let stack = Stack::new("imposter", ONE);
    stack.faults(&json!({"host": {"own_host_keys": true}}));
    let refused = stack.run(&["up"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("a host key that is not the expected one"), "{refused:?}");
    let id = stack.instances().remove(0);
    let journal = on_host(&id, &["journalctl", "-u", "ssh"]);
    assert!(journal.contains("Server listening"), "{journal}");
    assert!(!journal.contains("ubuntu"), "no user may have been named: {journal}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_container_that_ends_at_its_start_shows_its_last_lines() {
    let services = "  events: {build: events, env: {TOKIO_WORKER_THREADS: 0}}\n";
    let stack = Stack::new("crashing", services);
    let failed = stack.run(&["up"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("its container is restarting"), "{failed:?}");
    assert!(failed.stderr.contains("\"TOKIO_WORKER_THREADS\" cannot be set to 0"), "{failed:?}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_service_that_is_never_ready_is_given_up_with_its_last_answer() {
    let stack = Stack::new("unready", "  events: {build: events, health: /events/never}\n");
    let failed = stack.run(&["up"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("events is not ready after 60 s"), "{failed:?}");
    assert!(failed.stderr.contains("/events/never answers 404"), "{failed:?}");
    assert!(failed.stderr.contains("events is listening"), "its log must be shown: {failed:?}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn credentials_that_expire_midway_say_so_and_the_next_run_goes_on() {
    let stack = Stack::new("expiring", ONE);
    stack.faults(&json!({"api": [{"action": "DescribeInstances", "code": "ExpiredToken",
        "status": 403, "after": 1}]}));
    let failed = stack.run(&["up"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("with the access key expiring"), "{failed:?}");
    assert!(failed.stderr.contains("The credentials have expired"), "{failed:?}");
    stack.faults(&json!({}));
    let launched = stack.instances();
    assert_eq!(launched.len(), 1, "the fault must come after the launch: {failed:?}");
    stack.run(&["up"]).succeeded();
    assert_eq!(stack.instances(), launched);
}
