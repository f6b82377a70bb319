//! Hosts whose login shell prints something before each command.

use super::{BOTH, ONE};
use crate::harness::EVENT;
use crate::harness::cli::Ran;
use crate::harness::http::send;
use crate::harness::region::{Stack, on_host};

/// Has the login shell greet on both streams, without and with the end of a line.
const GREET: &str = "for home in /root /home/*; do sed -i '1i echo Welcome to prod-1; \
    printf running; echo Welcome >&2' \"$home/.bashrc\"; done";

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_greeting_of_the_login_shell_is_taken_for_nothing() {
    let stack = Stack::new("greeting", BOTH);
    stack.run(&["up"]).succeeded();
    for instance in stack.instances() {
        on_host(&instance, &["sh", "-c", GREET]);
    }
    for row in stack.status() {
        assert_eq!((&row["health"], &row["container"]), (&"healthy".into(), &"running".into()));
    }
    stack.run(&["doctor"]).succeeded();

    let list = || send(stack.address(0), "GET", "/events", None).body;
    let before = list();
    stack.run(&["backup", "data.backup"]).succeeded();
    assert_eq!(send(stack.address(0), "POST", "/events", Some(EVENT)).status, 201);
    stack.run(&["restore", "data.backup", "--yes"]).succeeded();
    assert_eq!(list(), before);

    let ran = stack.run(&["exec", "events", "--", "echo {1..3}; echo four >&2"]).succeeded();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("1 2 3\n", "four\n"));

    // The lock, the switch and its record.
    stack.world.change_program("events");
    let deployed = stack.run(&["deploy", "--output", "json"]).succeeded().json();
    assert_eq!(
        (&deployed[0]["outcome"], &deployed[1]["outcome"]),
        (&"deployed".into(), &"kept".into())
    );
    let history = stack.run(&["history", "--output", "json"]).succeeded().json();
    assert!(history.as_array().unwrap().iter().any(|row| row["action"] == "deploy"), "{history}");

    // Named by their addresses, hosts keep the lock themselves.
    let addresses = stack.status();
    let address = addresses[0]["address"].as_str().unwrap();
    let home = stack.home_that_knows(&stack.instance(0), address);
    let key = stack.world.path().join("state/eventpost/keys/greeting");
    let text = format!("stack: other\nssh: {{key: {}}}\nservices:\n{ONE}", key.display());
    stack.world.describe(&text);
    let hosts = format!("events={address}");
    let mut up = stack.world.command(&["up", "--hosts", &hosts]);
    Ran::of(up.env("HOME", home).output().unwrap()).succeeded();
}
