//! What `-vv` shows of hosts, and that none of it is secret.

use std::fs;

use crate::harness::region::Stack;

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn commands_on_hosts_are_shown_without_secrets() {
    let stack = Stack::with_tokens("verbose", "  notifications: {build: notifications}\n");
    let password = stack.world.path().join("password");
    stack.world.write_secret("password", "very-secret-password\n");
    let mail = format!(
        "host: 127.0.0.1, from: a@example.org, user: u, password_file: {}",
        password.display()
    );
    stack.describe(&format!(
        "  notifications: {{build: notifications, env: {{DEMO: very-secret-value}}, mail: {{{mail}}}}}\n"
    ));
    let up = stack.run(&["-vv", "up"]).succeeded();
    let exec = stack.run(&["exec", "-vv", "notifications", "--", "echo very-secret-word; true"]);
    assert_eq!(exec.stdout, "very-secret-word\n");
    for shown in [
        "RunInstances, attempt 1: 200",
        "waiting for SSH: ",
        "installing Docker: exit status 0, in ",
        "writing the secrets: exit status 0, in ",
        "# Installs Docker on a fresh host",
    ] {
        assert!(up.stderr.contains(shown), "{shown}: {up:?}");
    }
    assert!(exec.stderr.contains("(the user's own command)"), "{exec:?}");
    let log = up.stderr + &exec.stderr;
    let token = stack.authorization();
    let token = token.trim_start_matches("Authorization: Bearer ").trim();
    let key = fs::read_to_string(stack.world.path().join("state/eventpost/keys/verbose")).unwrap();
    let key = key.lines().nth(1).unwrap();
    for secret in ["very-secret", "PRIVATE KEY", token, key] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    stack.run(&["down", "--yes"]).succeeded();
}
