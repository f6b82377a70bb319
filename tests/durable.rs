//! What was answered is on the disk: kill -9 cannot show that, since it keeps the page cache, so
//! the system calls of the service are looked at.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::http::Client;
use crate::harness::{EVENT, Service, program, temp_dir};

/// What a service did for a request, in the order of its system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It has read the request.
    Read,
    /// It has written to the log of commits.
    Written,
    /// What was written to the log before this began is on the disk.
    Synced,
    /// It begins to answer that the write was made.
    Answered,
}

/// The process of a line of strace, and the rest of the line.
fn process(line: &str) -> (&str, &str) {
    line.split_once(' ').map(|(process, rest)| (process, rest.trim_start())).unwrap_or_default()
}

/// The steps in what strace has written. Calls that take longer than others are on two lines.
fn steps(trace: &str) -> Vec<Step> {
    let mut syncing = HashSet::new();
    let mut steps = Vec::new();
    for (process, call) in trace.lines().map(process) {
        let is_sync = call.starts_with("fdatasync(") || call.starts_with("fsync(");
        let of_log = call.contains("data.sqlite-wal>");
        let resumed =
            call.starts_with("<... fdatasync resumed>") || call.starts_with("<... fsync resumed>");
        if is_sync && of_log && call.ends_with("<unfinished ...>") {
            syncing.insert(process);
        } else if ((is_sync && of_log) || (resumed && syncing.remove(process)))
            && call.ends_with("= 0")
        {
            steps.push(Step::Synced);
        } else if call.starts_with("pwrite64(") && of_log {
            steps.push(Step::Written);
        } else if ["OST /events", "UT /events", "ELETE /events"].iter().any(|it| call.contains(it))
        {
            // The first byte of a request may have been read before the others.
            steps.push(Step::Read);
        } else if call.contains("\"HTTP/1.1 20") {
            steps.push(Step::Answered);
        }
    }
    steps
}

/// Starts a service that strace watches.
fn start_traced(data: &Path, trace: &Path) -> Service {
    let mut command = Command::new("strace");
    // The service is the child of the test, and not of strace.
    command.args(["-D", "-f", "-qq", "-y", "-s", "64", "-o"]).arg(trace);
    command.args(["-e", "trace=read,recvfrom,write,writev,sendto,pwrite64,fsync,fdatasync"]);
    command.arg(program("events"));
    Service::start_command(command, data)
}

/// Makes, replaces and removes events, one request after the other. Returns how many there were.
fn change(service: &Service) -> usize {
    let mut client = Client::connect(service.address).unwrap();
    let mut requests = 0;
    let mut send = |method: &str, path: &str, body: &str| {
        let answer = client.send(method, path, body).unwrap();
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        requests += 1;
        answer.header("location").map(str::to_owned)
    };
    for _ in 0..20 {
        let path = send("POST", "/events", EVENT).unwrap();
        send("PUT", &path, &EVENT.replace("\"t\"", "\"u\""));
        send("DELETE", &path, "");
    }
    requests
}

#[test]
fn every_write_is_on_the_disk_before_it_is_answered() {
    if !has_strace("nothing shows that answers wait for the disk") {
        return;
    }
    let dir = temp_dir();
    let trace = dir.path().join("trace");
    let service = start_traced(&dir.path().join("data"), &trace);
    let requests = change(&service);
    assert_eq!(service.terminate(), Some(0));
    let steps = steps(&fs::read_to_string(&trace).unwrap());
    let begins: Vec<_> = (0..steps.len()).filter(|at| steps[*at] == Step::Read).collect();
    assert_eq!(begins.len(), requests);
    for begin in begins {
        let mut of_request = steps[begin + 1..].to_vec();
        of_request.truncate(1 + of_request.iter().position(|it| *it == Step::Answered).unwrap());
        // Repetitions tell nothing.
        of_request.dedup();
        assert_eq!(of_request, [Step::Written, Step::Synced, Step::Answered], "{begin}");
    }
}

/// Whether strace is there. Says so if not.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is to see it")]
fn has_strace(without: &str) -> bool {
    let found = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        eprintln!("SKIPPED: strace is not installed, so {without}");
    }
    found
}

#[test]
fn a_failed_sync_ends_writing_and_neither_reading_nor_what_was_answered() {
    if !has_strace("no sync is made to fail") {
        return;
    }
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"]);
    // Those of the start succeed, and of some writes.
    command.args(["-e", "inject=fdatasync,fsync:error=EIO:when=40+"]).arg(program("events"));
    let service = Service::start_command(command, &data);
    let mut client = Client::connect(service.address).unwrap();
    let mut answered = Vec::new();
    let refused = loop {
        let answer = client.send("POST", "/events", EVENT).unwrap();
        if answer.status != 201 {
            break answer;
        }
        answered.push(answer.header("location").unwrap().to_owned());
        assert!(answered.len() < 200, "no sync has failed");
    };
    assert!(!answered.is_empty());
    assert_eq!(refused.status, 503, "{refused:?}");
    // It stays so, whatever the disk says next, and reading goes on.
    for (method, path, status) in [
        ("POST", "/events", 503),
        ("DELETE", answered[0].as_str(), 503),
        ("GET", "/readyz", 503),
        ("GET", answered[0].as_str(), 200),
        ("GET", "/events", 200),
        ("GET", "/healthz", 200),
    ] {
        let answer = client.send(method, path, EVENT).unwrap();
        assert_eq!(answer.status, status, "{method} {path} {answer:?}");
    }
    service.kill();
    let service = Service::start("events", &data);
    let mut client = Client::connect(service.address).unwrap();
    for path in &answered {
        assert_eq!(client.send("GET", path, "").unwrap().status, 200, "{path}");
    }
    assert_eq!(client.send("POST", "/events", EVENT).unwrap().status, 201);
}
