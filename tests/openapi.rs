//! What the services say of themselves at `/openapi.json`, held against what they do.

use std::path::Path;
use std::process::Command;

use crate::harness::http::send;
use crate::harness::{Service, free_ports, program, temp_dir};

/// Has schemathesis ask a service everything that its description says, and what it does
/// not.
fn check(service: &Service, folder: &Path) {
    let schemathesis = std::env::var_os("EVENTPOST_SCHEMATHESIS").expect(
        "EVENTPOST_SCHEMATHESIS is not set: run scripts/test, or \
         EVENTPOST_SCHEMATHESIS=$(testbed/schemathesis)",
    );
    let output = Command::new(schemathesis)
        .args(["run", &format!("http://{}/openapi.json", service.address)])
        .args(["--max-examples", "40", "--seed", "1", "--no-color"])
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failures = said.find("= FAILURES").map_or(&said[..], |at| &said[at..]);
    assert!(output.status.success(), "{failures}");
}

#[test]
fn events_are_as_they_are_described() {
    let dir = temp_dir();
    let service = Service::start("events", &dir.path().join("data"));
    let described = send(service.address, "GET", "/openapi.json", None);
    assert_eq!(described.json()["openapi"], "3.1.0");
    check(&service, dir.path());
}

#[test]
fn notifications_are_as_they_are_described() {
    let dir = temp_dir();
    // With a relay, without which there are no states; nobody listens where it should be.
    let mut command = Command::new(program("notifications"));
    command.args(["--mail-host", "localhost", "--mail-port", &free_ports().to_string()]);
    command.args(["--mail-from", "a@example.org", "--mail-security", "none"]);
    let service = Service::start_command(command, &dir.path().join("data"));
    check(&service, dir.path());
}
