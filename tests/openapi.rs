//! What the services say of themselves at `/openapi.json`, held against what they do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::http::{ask, send};
use crate::harness::tokens::Tokens;
use crate::harness::{Service, free_ports, program, temp_dir};

/// The checks that every answer must pass, with a token or without.
const OF_ANSWERS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";

/// Has schemathesis ask a service everything that its description says, and what it does
/// not.
fn check(service: &Service, folder: &Path, description: &Path, args: &[&str]) {
    let schemathesis = std::env::var_os("EVENTPOST_SCHEMATHESIS").expect(
        "EVENTPOST_SCHEMATHESIS is not set: run scripts/test, or \
         EVENTPOST_SCHEMATHESIS=$(testbed/schemathesis)",
    );
    let output = Command::new(schemathesis)
        .arg("run")
        .arg(description)
        .args(["--url", &format!("http://{}", service.address), "--seed", "1", "--no-color"])
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failures = said.find("= FAILURES").map_or(&said[..], |at| &said[at..]);
    assert!(output.status.success(), "{args:?}: {failures}");
}

/// A command that starts a service.
fn command(service: &str) -> Command {
    let mut command = Command::new(program(service));
    if service == "notifications" {
        // With a relay, without which there are no states; nobody listens where it should be.
        command.args(["--mail-host", "localhost", "--mail-port", &free_ports().to_string()]);
        command.args(["--mail-from", "a@example.org", "--mail-security", "none"]);
    }
    command
}

/// Writes what a service says of itself to a file.
fn describe(service: &Service, header: &str, folder: &Path) -> PathBuf {
    let description = ask(service.address, "GET", "/openapi.json", header, "");
    assert_eq!(description.json()["openapi"], "3.1.0");
    let file = folder.join("openapi.json");
    fs::write(&file, description.body).unwrap();
    file
}

/// Where everybody may do everything, no token is asked for; all else is as where one is.
fn check_open(name: &str) {
    let dir = temp_dir();
    let service = Service::start_command(command(name), &dir.path().join("data"));
    let file = describe(&service, "", dir.path());
    let mut description: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for operations in description["paths"].as_object_mut().unwrap().values_mut() {
        for operation in operations.as_object_mut().unwrap().values_mut() {
            operation.as_object_mut().and_then(|it| it.remove("security"));
        }
    }
    fs::write(&file, description.to_string()).unwrap();
    check(&service, dir.path(), &file, &["--max-examples", "40"]);
}

/// Operations need tokens where the description says so, and answer requests without one as it
/// says.
fn check_with_tokens(name: &str) {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let mut command = command(name);
    command.env("ACCESS_TOKENS", tokens.on_one_line());
    let service = Service::start_command(command, &dir.path().join("data"));
    let admin = tokens.header("admin");
    let description = describe(&service, &admin, dir.path());
    let few = ["--max-examples", "10", "--phases", "coverage,fuzzing,stateful"];
    check(&service, dir.path(), &description, &[&few[..], &["-H", admin.trim_end()]].concat());
    let before = ask(service.address, "GET", &format!("/{name}"), &admin, "").body;
    let phases = ["--max-examples", "10", "--phases", "coverage,fuzzing"];
    check(
        &service,
        dir.path(),
        &description,
        &[&phases[..], &["--checks", OF_ANSWERS, "--continue-on-failure"]].concat(),
    );
    let after = ask(service.address, "GET", &format!("/{name}"), &admin, "").body;
    assert_eq!(before, after, "something was changed without a token");
}

#[test]
#[ignore = "needs schemathesis: run scripts/test"]
fn open_events_are_as_they_are_described() {
    check_open("events");
}

#[test]
#[ignore = "needs schemathesis: run scripts/test"]
fn open_notifications_are_as_they_are_described() {
    check_open("notifications");
}

#[test]
#[ignore = "needs schemathesis: run scripts/test"]
fn events_with_tokens_are_as_they_are_described() {
    check_with_tokens("events");
}

#[test]
#[ignore = "needs schemathesis: run scripts/test"]
fn notifications_with_tokens_are_as_they_are_described() {
    check_with_tokens("notifications");
}

#[test]
fn every_operation_says_which_role_it_needs() {
    let dir = temp_dir();
    for name in ["events", "notifications"] {
        let service = Service::start(name, &dir.path().join(name));
        let description = send(service.address, "GET", "/openapi.json", None).json();
        assert_eq!(description["components"]["securitySchemes"]["token"]["scheme"], "bearer");
        for (path, operations) in description["paths"].as_object().unwrap() {
            let operations = operations.as_object().unwrap().iter();
            for (method, operation) in operations.filter(|(key, _)| *key != "parameters") {
                let security = operation["security"].as_array().unwrap();
                let says = |status: &str| operation["responses"].get(status).is_some();
                assert_eq!(says("401"), !security.is_empty(), "{method} {path}");
                assert!(says("421"), "{method} {path}");
                assert!(says("403") || method == "get", "{method} {path}");
            }
        }
    }
}
