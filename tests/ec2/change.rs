//! Deploying onto hosts that run, and going back, with a load on them all the while.

use std::process::{Child, Stdio};

use serde_json::Value;

use super::{BOTH, ONE};
use crate::harness::cli::Ran;
use crate::harness::http::send;
use crate::harness::region::{Stack, on_host};
use crate::harness::{Signal, signal, wait_for};

/// Reads and writes of new events, none of which is removed again.
const LOAD: &str = r"
execution:
- {scenario: all, concurrency: 20, hold-for: 10m}
scenarios:
  all:
    default-address: http://127.0.0.1:1
    headers: {Content-Type: application/json}
    requests:
    - {url: /events, method: POST, label: make, body-file: event.json, extract-jsonpath: {id: $.id}}
    - {url: '/events/${id}', label: one}
";

fn image(stack: &Stack, service: usize) -> String {
    stack.status()[service]["image"].as_str().unwrap().to_owned()
}

/// A load that ends with the test, however that ends.
struct Load(Option<Child>);

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Begins 200 requests a second that are sent whether or not they are answered.
fn begin_load(stack: &Stack) -> Load {
    let world = &stack.world;
    std::fs::write(world.path().join("load.yml"), LOAD).unwrap();
    std::fs::write(world.path().join("event.json"), crate::harness::EVENT).unwrap();
    let url = format!("events=http://{}", stack.address(0));
    let args = ["bench", "load.yml", "--url", &url, "--rate", "200", "--output", "json"];
    let mut command = world.command(&args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    Load(Some(child))
}

/// Waits until the load is answered: new events come.
fn wait_for_load(stack: &Stack) {
    let before = stack.resources(0);
    wait_for("the load to be answered", || (stack.resources(0) > before).then_some(()));
}

/// Ends the load, and returns what it measured of its two kinds of requests.
fn end_load(mut load: Load) -> (u64, Value) {
    let child = load.0.take().unwrap();
    signal(child.id(), Signal::INT);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let execution = ran.json()["executions"][0].clone();
    (execution["labels"][0]["requests"].as_u64().unwrap(), execution)
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_deploy_and_a_rollback_refuse_no_request_and_lose_no_write() {
    let stack = Stack::new("change", ONE);
    stack.run(&["up"]).succeeded();
    let (first, before) = (image(&stack, 0), stack.resources(0));
    let kept = stack.run(&["deploy", "--output", "json"]).succeeded().json();
    assert_eq!(kept[0]["outcome"], "kept", "nothing has changed");
    let nothing = stack.run(&["rollback"]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(
        nothing.stderr.contains("there is no previous container to roll back to"),
        "{nothing:?}"
    );

    let load = begin_load(&stack);
    wait_for_load(&stack);
    stack.world.change_program("events");
    let deployed = stack.run(&["deploy", "--output", "json"]).succeeded().json();
    assert_eq!(deployed[0]["outcome"], "deployed");
    let second = image(&stack, 0);
    assert_ne!(second, first);
    wait_for_load(&stack);
    stack.run(&["rollback"]).succeeded();
    assert_eq!(image(&stack, 0), first);
    wait_for_load(&stack);
    let (made, execution) = end_load(load);
    assert_eq!(execution["errors"], 0, "{execution}");
    // One may have been under way when the load ended.
    let found = stack.resources(0) - before;
    assert!((made..=made + 20).contains(&found), "{made} answered, {found} there");

    // Going back once more goes forward again.
    stack.run(&["rollback"]).succeeded();
    assert_eq!(image(&stack, 0), second);
    let history = stack.run(&["history", "--output", "json"]).succeeded().json();
    let done: Vec<_> = history.as_array().unwrap().iter().map(|it| &it["action"]).collect();
    assert_eq!(done, ["launch", "up", "deploy", "rollback", "rollback"]);
    assert_eq!(history[2]["image"], second.as_str());
    for row in history.as_array().unwrap() {
        assert!(row["who"].as_str().unwrap().split('@').all(|part| !part.is_empty()), "{row}");
        assert_eq!(row["host"], stack.instances()[0].as_str());
    }

    // After a restart of the host, the right one serves.
    let instance = stack.instances().remove(0);
    on_host(&instance, &["systemctl", "restart", "docker"]);
    wait_for("the service after that", || (stack.run(&["status"]).code == Some(0)).then_some(()));
    assert_eq!(image(&stack, 0), second);

    // Only what a rollback goes back to stays beside what serves.
    stack.world.change_program("events");
    stack.run(&["deploy"]).succeeded();
    let images = on_host(&instance, &["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"]);
    let images: Vec<_> = images.lines().collect();
    assert!(images.len() == 2 && images.contains(&second.as_str()), "{images:?}");
    stack.run(&["rollback"]).succeeded();
    stack.run(&["down", "--yes"]).succeeded();
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn where_one_service_cannot_change_none_does() {
    let stack = Stack::new("change-back", BOTH);
    stack.run(&["up"]).succeeded();
    let before = [image(&stack, 0), image(&stack, 1)];
    send(stack.address(0), "POST", "/events", Some(crate::harness::EVENT));
    let held = stack.resources(0);
    stack.world.change_program("events");
    stack.world.replace_program("notifications", "#!/bin/no-such-shell\n");
    let failed = stack.run(&["deploy"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("notifications: failed: runs as before"), "{failed:?}");
    assert_eq!([image(&stack, 0), image(&stack, 1)], before);
    assert_eq!(stack.resources(0), held);
    assert_eq!(stack.run(&["status"]).code, Some(0));
    let instance = stack.instance(1);
    let rules = on_host(&instance, &["iptables", "-t", "raw", "-S"]);
    assert!(!rules.contains("DROP"), "connections are held back: {rules}");

    let nothing = stack.run(&["rollback"]);
    assert!(
        nothing.stderr.contains("there is no previous container to roll back to"),
        "{nothing:?}"
    );

    // What a deploy had left alone, a rollback leaves alone.
    stack.world.repair_program("notifications");
    let outcomes = |command: &str| {
        let rows = stack.run(&[command, "--output", "json"]).succeeded().json();
        [0, 1].map(|service| rows[service]["outcome"].as_str().unwrap().to_owned())
    };
    assert_eq!(outcomes("deploy"), ["deployed", "kept"]);
    assert_eq!(outcomes("rollback"), ["rolled back", "kept"]);
    assert_eq!([image(&stack, 0), image(&stack, 1)], before);
    stack.run(&["down", "--yes"]).succeeded();
}
