//! Mails of a service on a host, and the secret that it takes to send them.

use std::fs;

use crate::harness::http::ask;
use crate::harness::region::{Stack, on_host};
use crate::harness::wait_for;
use crate::mail::notification;
use crate::mail::relay::Relay;

fn described(stack: &Stack, mail: &str) {
    stack.describe(&format!("  notifications: {{build: notifications, mail: {{{mail}}}}}\n"));
}

/// A notification that is due is delivered.
fn check_delivery(stack: &Stack, relay: &Relay) {
    let body = notification("somebody@example.org", 0).to_string();
    let token = stack.authorization();
    assert_eq!(ask(stack.address(0), "POST", "/notifications", &token, &body).status, 201);
    wait_for("the mail", || (!relay.accepted().is_empty()).then_some(()));
}

/// The folder on the host that the container has at /run/secrets.
fn secrets_folder(host: &str) -> String {
    let format =
        "{{range .Mounts}}{{if eq .Destination \"/run/secrets\"}}{{.Source}}{{end}}{{end}}";
    let inspect = ["docker", "inspect", "--format", format, "eventpost-notifications"];
    on_host(host, &inspect).trim().to_owned()
}

/// The password is in a file that the program alone can read, and nowhere else.
fn check_secret(stack: &Stack, host: &str, folder: &str) {
    let kept =
        on_host(host, &["sh", "-c", &format!("cd {folder} && stat -c '%a %u %n' * && cat *")]);
    assert_eq!(kept, "400 65532 mail-password\nvery-secret-password\n");
    let inspected = on_host(host, &["docker", "inspect", "eventpost-notifications"]);
    assert!(inspected.contains("MAIL_PASSWORD_FILE=/run/secrets/mail-password"), "{inspected}");
    let logs = stack.run(&["logs"]).stdout;
    assert!(!inspected.contains("very-secret") && !logs.contains("very-secret"), "{logs}");
    assert!(logs.contains("notifications are sent"), "{logs}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_notification_is_sent_from_a_host_and_the_password_stays_a_file() {
    let stack = Stack::with_tokens("mail", "  notifications: {build: notifications}\n");
    stack.run(&["up"]).succeeded();
    assert_eq!(stack.status()[0]["mail"], "off");
    let host = stack.instance(0);
    // Where hosts of the testbed find this machine.
    let route = on_host(&host, &["ip", "route", "show", "default"]);
    let gateway = route.split_whitespace().nth(2).unwrap().to_owned();
    let relay = Relay::start_for_hosts(stack.world.path());
    let from = "from: EventPost <events@example.org>";
    let port = relay.port;
    described(&stack, &format!("host: {gateway}, port: {port}, security: none, {from}"));
    stack.run(&["deploy"]).succeeded();
    assert_eq!(stack.status()[0]["mail"], format!("{gateway}:{port}"));
    check_delivery(&stack, &relay);

    // With a login.
    let password = stack.world.path().join("password");
    let login = |text: &str| {
        stack.world.write_secret("password", text);
        let file = password.display();
        let login = format!("user: somebody, password_file: {file}");
        described(&stack, &format!("host: {gateway}, port: {port}, {from}, {login}"));
    };
    login("very-secret-password\n");
    stack.run(&["deploy"]).succeeded();
    let first = secrets_folder(&host);
    check_secret(&stack, &host, &first);

    // Another password is a change, and going back takes the one of before.
    login("another-password\n");
    let changed = stack.run(&["deploy", "--output", "json"]).succeeded().json();
    assert_eq!(changed[0]["outcome"], "deployed");
    let second = secrets_folder(&host);
    assert_ne!(first, second);
    stack.run(&["rollback"]).succeeded();
    assert_eq!(secrets_folder(&host), first);

    // A password that cannot be read is an error before anything changes.
    fs::remove_file(&password).unwrap();
    let refused = stack.run(&["deploy"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let error = format!("the secret {} of notifications cannot be read", password.display());
    assert!(refused.stderr.contains(&error), "{refused:?}");
    stack.run(&["down", "--yes"]).succeeded();
}
