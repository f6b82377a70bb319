//! The data of the real services: how much they may hold, and copies.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::http::{Answer, send};
use crate::harness::{
    EVENT, Service, long_event, post_many, program, run_service, temp_dir, wait_for,
};

/// Stores events until the service says that it is full, and returns their paths.
pub(crate) fn fill(service: &Service, event: &str) -> Vec<String> {
    let mut stored = Vec::new();
    loop {
        let answer = send(service.address, "POST", "/events", Some(event));
        match answer.status {
            201 => stored.push(answer.header("location").unwrap().to_owned()),
            507 => {
                assert_eq!(answer.header("retry-after"), Some("10"));
                return stored;
            }
            _ => panic!("{answer:?}"),
        }
    }
}

pub(crate) fn count(service: &Service) -> usize {
    send(service.address, "GET", "/events", None).json().as_array().unwrap().len()
}

/// Starts a service without a reserve, which disks of tests do not have.
pub(crate) fn start_without_reserve(data: &Path) -> Service {
    Service::start_with("events", data, &["--reserve-bytes", "0"], Stdio::null())
}

#[test]
fn a_limit_on_file_sizes_is_a_full_disk() {
    let dir = temp_dir();
    let limited = |kib: u32| {
        // The shell sets the limit; the service takes its place.
        let run = format!("ulimit -f {kib} && exec \"$0\" \"$@\"");
        let mut command = Command::new("bash");
        command.args(["-c", &run]).arg(program("events")).stdout(Stdio::null());
        Service::start_command(command, dir.path())
    };
    let service = limited(2 << 10);
    let stored = fill(&service, &long_event()).len();
    assert!(stored > 50, "{stored}");
    assert_eq!(count(&service), stored);
    service.kill();
    let service = limited(6 << 10);
    assert_eq!(count(&service), stored, "nothing of the refused write is left");
    assert!(fill(&service, &long_event()).len() > 50);
}

/// What a limit leaves possible: everything that does not need more than there is.
fn assert_full(service: &Service, paths: &[String], error: &str) {
    let ask = |method, path: &str, body| send(service.address, method, path, body);
    let refused = ask("POST", "/events", Some(EVENT));
    let says = |answer: &Answer| answer.json()["error"].as_str().unwrap().to_owned();
    assert_eq!((refused.status, says(&refused).as_str()), (507, error), "{refused:?}");
    assert_eq!(refused.header("retry-after"), Some("10"));
    assert_eq!(ask("GET", "/readyz", None).status, 200, "it is as ready as before");
    assert_eq!(ask("GET", &paths[0], None).status, 200);
    assert_eq!(ask("PUT", &paths[0], Some(EVENT)).status, 200, "it needs no more than before");
    assert_eq!(ask("DELETE", &paths[0], None).status, 200);
}

#[test]
fn a_limit_on_resources_refuses_more_of_them_until_one_is_removed() {
    let dir = temp_dir();
    let args = ["--max-resources", "3"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    let paths = fill(&service, EVENT);
    assert_eq!(paths.len(), 3);
    let longer = send(service.address, "PUT", &paths[1], Some(&long_event()));
    assert_eq!(longer.status, 200, "{longer:?}");
    assert_full(&service, &paths, "The service holds as much as it may; nothing was changed.");
    assert_eq!(fill(&service, EVENT).len(), 1);
}

#[test]
fn a_limit_on_bytes_refuses_what_would_exceed_it() {
    let dir = temp_dir();
    let args = ["--max-bytes", "12000"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    assert_eq!(fill(&service, &long_event()).len(), 2);
    let paths = fill(&service, EVENT);
    assert!(paths.len() > 5, "{paths:?}");
    let longer = send(service.address, "PUT", &paths[1], Some(&long_event()));
    assert_eq!(longer.status, 507, "{longer:?}");
    assert_full(&service, &paths, "The service holds as much as it may; nothing was changed.");
    assert!(service.metric("eventpost_store_live_bytes") <= 12_000);
    assert_eq!(fill(&service, EVENT).len(), 1);
}

#[test]
fn a_reserve_of_the_disk_stays_free() {
    let dir = temp_dir();
    let service = start_without_reserve(dir.path());
    let paths = post_many(&service, 2, EVENT);
    assert_eq!(service.terminate(), Some(0));
    let args = ["--reserve-bytes", "9000000000000000"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    assert_full(&service, &paths, "The disk is full; nothing was changed.");
    assert_eq!(count(&service), 1);
}

#[test]
fn the_log_is_bounded_while_a_list_is_held_open_and_many_write() {
    const LIMIT: u64 = 64 << 20;
    /// What one commit adds at most: a megabyte of documents, and their index.
    const BATCH: u64 = 16 << 20;
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    post_many(&service, 4000, &long_event());
    let held = crate::readers::ask("GET /events", &service);
    wait_for("the list to be open", || {
        (service.metric("eventpost_store_open_lists") == 1).then_some(())
    });
    let log = dir.path().join("data.sqlite-wal");
    let mut largest = 0;
    while service.metric("eventpost_store_open_lists") == 1 {
        post_many(&service, 200, &long_event());
        largest = largest.max(fs::metadata(&log).unwrap().len());
        assert!(largest < LIMIT + BATCH, "{largest}");
    }
    assert!(largest > LIMIT / 4, "the list was ended early: {largest}");
    assert!(!crate::readers::is_whole(held), "the list has broken off");
    // The log's file shrinks again, and the next list is whole.
    wait_for("the log to shrink", || {
        post_many(&service, 20, &long_event());
        (fs::metadata(&log).unwrap().len() < LIMIT / 4).then_some(())
    });
    assert!(crate::readers::is_whole(crate::readers::ask("GET /events", &service)));
}

fn copy(command: &str, args: &[&str], data: &Path) -> Output {
    let args: Vec<_> = [command].into_iter().chain(args.iter().copied()).collect();
    run_service("events", &args, data)
}

#[test]
fn a_running_service_is_copied_and_the_copy_put_back() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let service = Service::start("events", &data);
    for _ in 0..10 {
        send(service.address, "POST", "/events", Some(EVENT));
    }
    let list = send(service.address, "GET", "/events", None).body;
    let file = dir.path().join("copy");
    let file = file.to_str().unwrap();
    // Others write meanwhile: the copy is of some moment, and whole.
    let output = std::thread::scope(|scope| {
        let writer = scope.spawn(|| post_many(&service, 200, EVENT));
        let output = copy("backup", &[file], &data);
        writer.join().unwrap();
        output
    });
    assert!(output.status.success(), "{output:?}");
    let piped = copy("backup", &["-"], &data);
    let header = b"{\"eventpost backup\":2,\"collection\":\"events\"}\n";
    assert!(piped.stdout.starts_with(header), "{piped:?}");

    let output = copy("restore", &[file], &data);
    assert_eq!(output.status.code(), Some(75), "a running service's data stay: {output:?}");
    let other = dir.path().join("other");
    assert!(copy("restore", &[file], &other).status.success());
    let restored = Service::start("events", &other);
    let text = send(restored.address, "GET", "/events", None).body;
    let begin = list.strip_suffix(']').unwrap();
    assert!(text.starts_with(begin), "what was answered before the copy began is in it");
    let found = send(restored.address, "GET", "/events?q=ddddd", None).json();
    assert_eq!(found.as_array().unwrap().len(), count(&restored), "all of it is found");
    assert_eq!(restored.terminate(), Some(0));

    let output = copy("restore", &[file], &other);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(73), "{stderr}");
    assert!(stderr.contains("--replace"), "{stderr}");
    assert!(copy("restore", &[file, "--replace"], &other).status.success());
}

#[test]
fn a_copy_that_was_cut_short_is_named_and_changes_nothing() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let service = Service::start("events", &data);
    send(service.address, "POST", "/events", Some(EVENT));
    let list = send(service.address, "GET", "/events", None).body;
    assert_eq!(service.terminate(), Some(0));
    let file = dir.path().join("copy");
    assert!(copy("backup", &[file.to_str().unwrap()], &data).status.success());
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 40]).unwrap();
    let output = copy("restore", &[file.to_str().unwrap(), "--replace"], &data);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{stderr}");
    assert!(stderr.contains("the backup is cut off after line 2"), "{stderr}");
    let missing = copy("restore", &["no-such-file", "--replace"], &data);
    assert_eq!(missing.status.code(), Some(66), "{missing:?}");
    let nowhere = copy("backup", &["no-such-folder/copy"], &data);
    assert_eq!(nowhere.status.code(), Some(73), "{nowhere:?}");
    let service = Service::start("events", &data);
    assert_eq!(send(service.address, "GET", "/events", None).body, list);
}

#[test]
fn a_copy_to_a_reader_that_leaves_fails() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    post_many(&service, 300, &long_event());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(program("events"))
        .args(["backup", "-", "--data"])
        .arg(dir.path())
        .stdout(writer)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(73));
}
