//! A load that comes from the hosts themselves.

use std::fs;
use std::path::Path;

use super::ONE;
use crate::harness::cli::Ran;
use crate::harness::region::{Stack, on_host};
use crate::harness::{Signal, signal, wait_for};

/// A load on the events service, whose body is a file.
const SCRIPT: &str = r"
execution:
- {scenario: all, concurrency: 2, iterations: 5}
scenarios:
  all:
    default-address: http://127.0.0.1:1
    requests:
    - {url: /events, method: POST, label: make, body-file: event.json, extract-jsonpath: {id: $.id}}
    - {url: '/events/${id}', label: one}
    - {url: '/events/${id}', method: DELETE, label: remove}
reporting:
- module: passfail
  criteria: [fail>0%, hits of one<10]
";

fn stack(name: &str) -> (Stack, String) {
    let stack = Stack::new(name, ONE);
    fs::write(stack.world.path().join("load.yml"), SCRIPT).unwrap();
    let event = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/services/event.json");
    fs::copy(event, stack.world.path().join("event.json")).unwrap();
    stack.run(&["up"]).succeeded();
    let instance = stack.instances().remove(0);
    (stack, instance)
}

/// What a load left on a host: files, and processes of it.
fn remains(instance: &str) -> String {
    let look =
        "ls -d /tmp/eventpost* /home/*/eventpost* 2>/dev/null; pgrep -f '[e]ventpost-load'; true";
    on_host(instance, &["sh", "-c", look])
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_load_comes_from_the_host_and_leaves_nothing_there() {
    let (stack, instance) = stack("load");
    let bench = ["bench", "load.yml", "--from", "both", "--output", "json"];
    let refused = stack.run(&bench);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("nor a built program at"), "{refused:?}");
    // What needs this machine's libraries could not run there.
    fs::copy("/bin/true", stack.world.path().join("eventpost-load")).unwrap();
    let refused = stack.run(&bench);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("needs libraries that hosts may lack"), "{refused:?}");

    stack.world.add_load_test_program();
    let result = stack.run(&bench).succeeded().json();
    let executions = result["executions"].as_array().unwrap();
    let from: Vec<_> = executions.iter().map(|it| it["from"].as_str().unwrap()).collect();
    assert_eq!(from, ["laptop", "host"]);
    assert_eq!(executions[1]["url"], "http://127.0.0.1:80");
    for execution in executions {
        assert_eq!((&execution["requests"], &execution["errors"]), (&30.into(), &0.into()));
    }
    let machines = result["machines"].as_array().unwrap();
    let names: Vec<_> = machines.iter().map(|machine| machine["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["laptop", "events host"]);
    let criteria = result["criteria"].as_array().unwrap();
    assert_eq!(criteria.len(), 4, "{result}");
    assert!(criteria.iter().all(|verdict| verdict["failed"] == false), "{result}");
    assert_eq!(remains(&instance), "");

    // A criterion that fails there fails the command here, and its text says what.
    let args =
        ["bench", "load.yml", "--from", "host", "-o", "scenarios.all.requests.1.url=/events/none"];
    let failed = stack.run(&args);
    assert_eq!(failed.code, Some(3), "{failed:?}");
    assert!(failed.stdout.contains("events host") && failed.stdout.contains("status 404 (10)"));
    stack.run(&["down", "--yes"]).succeeded();
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_load_on_a_host_ends_with_the_command_that_wanted_it() {
    let (stack, instance) = stack("load-cut");
    stack.world.add_load_test_program();
    let long = ["bench", "load.yml", "--from", "host", "-o", "execution.0.iterations=400000000"];
    // With a question whether to stop, and without.
    for (sent, code) in [(Signal::INT, Some(130)), (Signal::KILL, None)] {
        let child = stack.begin(&long);
        wait_for("the load on the host", || {
            remains(&instance).contains("eventpost-load").then_some(())
        });
        signal(child.id(), sent);
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, code, "{ran:?}");
        wait_for("the host to be as it was", || remains(&instance).is_empty().then_some(()));
    }
    stack.run(&["down", "--yes"]).succeeded();
}
