//! Settings of the relay: where it is, and how the service logs in to it.

use serde_json::json;

use super::relay::{PASSWORD, Relay};
use super::{make, notification, start, state, wait_for_state};
use crate::harness::cli::World;
use crate::harness::http::send;
use crate::harness::snapshot::assert_printed;
use crate::harness::{run_service, temp_dir, wait_for};

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn a_local_stack_sends_as_its_description_says() {
    let world = World::new();
    let relay = Relay::start(world.path());
    let describe = |mail: &str| {
        world.describe(&format!(
            "stack: test\nservices:\n  notifications: {{build: notifications, mail: {{{mail}}}}}\n"
        ));
    };
    for (name, mail) in [
        ("sender-missing", "host: h"),
        ("sender-without-an-address", "host: h, from: nobody"),
        ("user-without-password", "host: h, from: a@b, user: u"),
        ("unknown-security", "host: h, from: a@b, security: ssl"),
        ("password-in-the-clear", "host: h, from: a@b, user: u, password_file: f, security: none"),
        ("password-file-missing", "host: h, from: a@b, user: u, password_file: none"),
    ] {
        describe(mail);
        world.assert_shown("mail", name, &world.up());
    }

    let port = relay.port;
    describe(&format!("host: localhost, port: {port}, security: none, from: a@example.org"));
    world.up().succeeded();
    let status = world.run(&["status", "--local", "--output", "json"]).succeeded().json();
    assert_eq!(status[0]["mail"], format!("localhost:{port}"));
    let address = world.holder("notifications").unwrap().address;
    let body = notification("somebody@example.org", 0).to_string();
    assert_eq!(send(address, "POST", "/notifications", Some(&body)).status, 201);
    wait_for("the mail", || (!relay.accepted().is_empty()).then_some(()));
    world.run(&["down", "--local"]).succeeded();
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn the_connection_is_encrypted_and_the_password_shown_to_nobody_else() {
    let dir = temp_dir();
    let relay = Relay::start_guarded(dir.path());
    let file = dir.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let file = file.to_str().unwrap();
    let data = dir.path().join("data");
    let login = ["--mail-user", "user", "--mail-password-file", file];
    let service = start(&data, &relay, &login);
    let path = make(&service, &notification("somebody@example.org", 0));
    wait_for_state(&service, &path, "sent");
    let mail = relay.accepted().remove(0);
    assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!(true)), "{mail}");
    let command = std::fs::read(format!("/proc/{}/cmdline", service.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&command).contains(PASSWORD));
    drop(service);

    // A relay with another certificate gets neither mail nor password.
    let strangers = temp_dir();
    let mut stranger = Relay::start_guarded(strangers.path());
    stranger.ca.clone_from(&relay.ca);
    let service = start(&data, &stranger, &login);
    let path = make(&service, &notification("somebody@example.org", 0));
    let refused = wait_for("an attempt", || {
        Some(state(&service, &path)).filter(|it| it["attempts"].as_u64() >= Some(1))
    });
    assert!(refused["error"].as_str().unwrap().contains("certificate"), "{refused}");
    assert!(stranger.accepted().is_empty());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let dir = temp_dir();
    let host = ["--mail-host", "localhost"];
    let relay = ["--mail-host", "localhost", "--mail-from", "a@example.org"];
    for (name, code, args) in [
        ("no-sender", 2, [&host[..], &[]]),
        ("sender-is-no-address", 2, [&host, &["--mail-from", "nobody"]]),
        ("clear-password", 78, [&relay, &["--mail-user", "u", "--mail-security", "none"]]),
        ("no-password", 78, [&relay, &["--mail-user", "u"]]),
        (
            "no-password-file",
            78,
            [&relay, &["--mail-user", "u", "--mail-password-file", "/no/such/file"]],
        ),
    ] {
        let args = [&["--listen", "127.0.0.1:0"], args[0], args[1]].concat();
        let output = run_service("notifications", &args, &dir.path().join("data"));
        assert_eq!(output.status.code(), Some(code), "{name}: {output:?}");
        assert_printed(
            "mail",
            &format!("service-{name}"),
            &String::from_utf8_lossy(&output.stderr),
        );
    }
}
