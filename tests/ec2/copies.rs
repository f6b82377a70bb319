//! Backups of hosts' data, and what becomes of them.

use std::fs;

use serde_json::Value;

use super::BOTH;
use crate::harness::EVENT;
use crate::harness::http::send;
use crate::harness::region::{Stack, on_host};

fn held(stack: &Stack) -> Vec<Value> {
    let list = |(n, path)| send(stack.address(n), "GET", path, None).json();
    [(0, "/events"), (1, "/notifications")].map(list).into()
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn data_are_backed_up_from_running_hosts_and_restored_to_all_of_them_or_to_none() {
    let stack = Stack::new("copies", BOTH);
    stack.run(&["up"]).succeeded();
    let before = held(&stack);
    let rows = stack.run(&["backup", "data.backup", "--output", "json"]).succeeded().json();
    assert_eq!(rows[1]["service"], "notifications");
    assert_eq!(rows[0]["sha256"].as_str().unwrap().len(), 64);

    assert_eq!(send(stack.address(0), "POST", "/events", Some(EVENT)).status, 201);
    let changed = held(&stack);
    assert_ne!(changed, before);
    let refused = stack.run(&["restore", "data.backup"]);
    assert_eq!(refused.code, Some(2), "nobody can be asked: {refused:?}");

    // One host cannot take it: the other one must have what it had, too.
    let second = stack.instance(1);
    on_host(
        &second,
        &["sh", "-c", "mkdir -p /var/lib/eventpost/copies/eventpost-notifications.before.part/x"],
    );
    let failed = stack.run(&["restore", "data.backup", "--yes"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("replacing the data failed"), "{failed:?}");
    on_host(
        &second,
        &["rm", "-r", "/var/lib/eventpost/copies/eventpost-notifications.before.part"],
    );
    assert_eq!(held(&stack), changed);

    // A file that is not whole is refused before any host is asked.
    let whole = fs::read(stack.world.path().join("data.backup")).unwrap();
    fs::write(stack.world.path().join("cut.backup"), &whole[..whole.len() - 20]).unwrap();
    let refused = stack.run(&["restore", "cut.backup", "--yes"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("cut.backup is not a complete backup"), "{refused:?}");
    assert_eq!(held(&stack), changed);

    stack.run(&["restore", "data.backup", "--yes"]).succeeded();
    assert_eq!(held(&stack), before);
    for instance in stack.instances() {
        let left = on_host(&instance, &["sh", "-c", "ls -A /var/lib/eventpost/copies"]);
        assert_eq!(left, "", "copies that nobody needs");
    }
    stack.run(&["down", "--yes"]).succeeded();
}
