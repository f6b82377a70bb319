//! A service as a process: what it needs, how it refuses, how it stops.

use std::fs;
use std::io::Write;
use std::process::Command;

use crate::harness::http::{connect, read_answer, send};
use crate::harness::{
    EVENT, Service, Signal, assert_private, program, run_service, signal, temp_dir, wait_for,
    without_umask,
};

#[test]
fn a_taken_port_is_named() {
    let dir = temp_dir();
    let running = Service::start("events", &dir.path().join("a"));
    let address = running.address.to_string();
    let output = run_service("events", &["--listen", &address], &dir.path().join("b"));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on {address}")), "{stderr}");
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let dir = temp_dir();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let output = run_service("events", &["--listen", "127.0.0.1:0"], &file.join("data"));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(73), "{stderr}");
    assert!(stderr.contains("file/data cannot be written"), "{stderr}");
    assert!(stderr.contains("--data"), "{stderr}");
}

#[test]
fn a_data_folder_in_use_names_the_process_that_uses_it() {
    let dir = temp_dir();
    let running = Service::start("events", dir.path());
    let output = run_service("events", &["--listen", "127.0.0.1:0"], dir.path());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(75), "{stderr}");
    assert!(stderr.contains(&format!("pid {}", running.pid())), "{stderr}");
}

#[test]
fn files_of_a_service_are_private_with_any_umask() {
    let dir = temp_dir();
    let (data, copy) = (dir.path().join("above/data"), dir.path().join("copy"));
    let mut command = Command::new(program("notifications"));
    // With a relay, though nobody answers there, it keeps what it has sent, too.
    command.args(["--mail-host", "localhost", "--mail-port", "1", "--mail-security", "none"]);
    command.args(["--mail-from", "EventPost <events@example.org>"]);
    let service = Service::start_command(without_umask(&command), &data);
    let run = |args: &[&str]| {
        let mut command = Command::new(program("notifications"));
        command.args(args).arg("--data").arg(&data);
        let output = without_umask(&command).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&["backup", copy.to_str().unwrap()]);
    run(&["read-only"]);
    // The database, its log and what they share, the space for removals, the lock and more.
    assert!(assert_private(&data) >= 7);
    assert_eq!(service.terminate(), Some(0));
    run(&["restore", copy.to_str().unwrap(), "--replace"]);
    let kept = assert_private(&dir.path().join("above"));
    assert!(kept >= 6, "{kept}");
    assert_private(&copy);
}

#[test]
fn damaged_data_are_refused_with_their_file_and_left_alone() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    for _ in 0..3 {
        assert_eq!(send(service.address, "POST", "/events", Some(EVENT)).status, 201);
    }
    assert_eq!(service.terminate(), Some(0));
    let file = dir.path().join("data.sqlite");
    let mut bytes = fs::read(&file).unwrap();
    // The kind of the first page.
    bytes[100] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let output = run_service("events", &["--listen", "127.0.0.1:0"], dir.path());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{stderr}");
    assert!(stderr.contains(&format!("{} is damaged", file.display())), "{stderr}");
    assert!(stderr.contains("restore a backup"), "{stderr}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn data_of_another_service_are_refused() {
    let dir = temp_dir();
    assert_eq!(Service::start("events", dir.path()).terminate(), Some(0));
    let output = run_service("notifications", &["--listen", "127.0.0.1:0"], dir.path());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{stderr}");
    assert!(stderr.contains("a database of events"), "{stderr}");
}

#[test]
fn a_stopping_service_finishes_the_request_at_work() {
    for sent in [Signal::TERM, Signal::INT] {
        let dir = temp_dir();
        let service = Service::start("events", dir.path());
        let mut stream = connect(service.address);
        let (first, rest) = EVENT.split_at(20);
        let head = format!(
            "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n",
            EVENT.len()
        );
        // `Expect` makes the service say that it has begun to read the body.
        stream.write_all(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes()).unwrap();
        let mut interim = [0; 25];
        std::io::Read::read_exact(&mut stream, &mut interim).unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(first.as_bytes()).unwrap();
        signal(service.pid(), sent);
        wait_for("the service to stop listening", || {
            std::net::TcpStream::connect(service.address).is_err().then_some(())
        });
        stream.write_all(rest.as_bytes()).unwrap();
        let answer = read_answer(&mut stream).unwrap();
        assert_eq!(answer.status, 201, "{sent:?}: {answer:?}");
        assert_eq!(service.exit_code(), Some(0), "{sent:?}");
        let again = Service::start("events", dir.path());
        let list = send(again.address, "GET", "/events", None);
        assert_eq!(list.body, format!("[{}]", answer.body));
    }
}

#[test]
fn health_and_readiness_are_reported() {
    let dir = temp_dir();
    let service = Service::start("notifications", dir.path());
    assert_eq!(send(service.address, "GET", "/healthz", None).json()["status"], "ok");
    let ready = send(service.address, "GET", "/readyz", None);
    assert_eq!(ready.status, 200);
    let ready = ready.json();
    assert_eq!(ready["service"], "notifications");
    assert_eq!(ready["resources"], 0);
    assert_eq!(ready["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn writes_are_refused_for_a_while_and_reading_goes_on() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let status = |method, path: &str, body| send(service.address, method, path, body).status;
    let made = send(service.address, "POST", "/events", Some(EVENT));
    let one = made.header("location").unwrap().to_owned();

    let refused = run_service("events", &["read-only"], dir.path());
    assert!(refused.status.success(), "{refused:?}");
    let answer = send(service.address, "POST", "/events", Some(EVENT));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("10")), "{answer:?}");
    assert_eq!([status("PUT", &one, Some(EVENT)), status("DELETE", &one, None)], [503, 503]);
    assert_eq!([status("GET", &one, None), status("GET", "/readyz", None)], [200, 200]);
    let ready = send(service.address, "GET", "/readyz", None).json();
    assert_eq!((&ready["status"], &ready["resources"]), (&"read-only".into(), &1.into()));

    // A restart does not end it.
    assert_eq!(service.terminate(), Some(0));
    let service = Service::start("events", dir.path());
    assert_eq!(send(service.address, "DELETE", &one, None).status, 503);
    let taken = run_service("events", &["read-only", "--off"], dir.path());
    assert!(taken.status.success(), "{taken:?}");
    assert_eq!(send(service.address, "DELETE", &one, None).status, 200);

    // It is over by itself.
    run_service("events", &["read-only", "--seconds", "1"], dir.path());
    wait_for("writes to be taken again", || {
        (send(service.address, "POST", "/events", Some(EVENT)).status == 201).then_some(())
    });
}

#[test]
fn the_version_and_bad_arguments_are_answered() {
    let dir = temp_dir();
    let version = std::process::Command::new(crate::harness::program("events"))
        .arg("--version")
        .output()
        .unwrap();
    let text = String::from_utf8(version.stdout).unwrap();
    assert_eq!(text, format!("events {}\n", env!("CARGO_PKG_VERSION")));
    let output = run_service("events", &["--listen", "nowhere"], dir.path());
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn log_lines_can_be_json() {
    let dir = temp_dir();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let args = ["--listen", "127.0.0.1:0", "--log-format", "json"];
    let output = run_service("events", &args, &file.join("data"));
    let line: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert!(line["message"].as_str().unwrap().contains("cannot be written"), "{line}");
}
