//! Data that are not as they were written, or not ours: reported, and never served or replaced.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use crate::harness::http::{Answer, send, try_send};
use crate::harness::{EVENT, Service, long_event, post_many, program, run_service, temp_dir};
use crate::readers;

/// The database in a service's folder.
const FILE: &str = "data.sqlite";

/// A title of an event that is found in the file.
fn title(n: usize) -> String {
    format!("marked {n:04}")
}

/// Stores some events and stops the service. Returns their paths and the answers.
fn store(data: &Path, count: usize) -> Vec<(String, String)> {
    let service = Service::start("events", data);
    let post = |n| {
        let event = json!({"title": title(n), "description": "d".repeat(300),
            "date": "2096-01-02", "time": "03:04:05", "topics": "one, two"});
        let made = send(service.address, "POST", "/events", Some(&event.to_string()));
        (made.header("location").unwrap().to_owned(), made.body)
    };
    let stored = (0..count).map(post).collect();
    assert_eq!(service.terminate(), Some(0));
    stored
}

/// Flips a bit of the event with a number, on the disk.
fn flip_bit_of(data: &Path, n: usize) {
    let path = data.join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    let text = format!("\"title\": \"{}\"", title(n));
    let at = bytes.windows(text.len()).position(|it| it == text.as_bytes()).unwrap();
    bytes[at + text.len() - 2] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Starts a service whose messages go to a file.
fn start_logging(data: &Path, log: &Path) -> Service {
    let mut command = Command::new(program("events"));
    command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::null());
    command.stderr(File::create(log).unwrap());
    Service::start_with_arguments(command, data)
}

fn get(service: &Service, path: &str) -> Answer {
    send(service.address, "GET", path, None)
}

/// The exit code of a backup, and what it says.
fn back_up(data: &Path) -> (Option<i32>, String) {
    let output = run_service("events", &["backup", "-"], data);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_damaged_event_is_reported_and_never_served_until_it_is_replaced_or_removed() {
    let (dir, log) = (temp_dir(), temp_dir());
    let stored = store(dir.path(), 5);
    flip_bit_of(dir.path(), 1);
    flip_bit_of(dir.path(), 3);
    let service = start_logging(dir.path(), &log.path().join("log"));
    for (n, (path, body)) in stored.iter().enumerate() {
        let answer = get(&service, path);
        if n % 2 == 0 {
            assert_eq!((answer.status, &answer.body), (200, body));
        } else {
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(answer.json()["error"], "The resource is damaged on the disk.");
            let id = path.strip_prefix("/events/").unwrap();
            let log = fs::read_to_string(log.path().join("log")).unwrap();
            assert!(log.lines().any(|line| line.contains("ERROR") && line.contains(id)), "{log}");
        }
    }
    // No list is served with a hole, and a search shows what is left.
    for path in ["/events", "/events?limit=5"] {
        assert_eq!(get(&service, path).status, 503, "{path}");
    }
    for path in ["/events?q=marked", "/events?topic=one", "/?q=marked"] {
        let found = get(&service, path);
        assert_eq!(found.status, 200, "{path}");
        for n in 0..5 {
            assert_eq!(found.body.contains(&title(n)), n % 2 == 0, "{path}: {found:?}");
        }
    }
    assert!(service.metric("eventpost_store_damaged_resources_total") >= 6);
    let (code, message) = back_up(dir.path());
    assert_eq!(code, Some(65), "{message}");
    assert!(message.contains(stored[1].0.strip_prefix("/events/").unwrap()), "{message}");

    let replaced = send(service.address, "PUT", &stored[1].0, Some(EVENT));
    assert_eq!(replaced.status, 200, "{replaced:?}");
    let removed = send(service.address, "DELETE", &stored[3].0, None);
    assert_eq!((removed.status, removed.body.as_str()), (204, ""), "there is nothing to show");
    assert_eq!(get(&service, &stored[3].0).status, 404);
    assert_eq!(get(&service, "/events").json().as_array().unwrap().len(), 4);
    assert_eq!(get(&service, "/events?q=marked").json().as_array().unwrap().len(), 3);
    assert_eq!(back_up(dir.path()).0, Some(0));
}

#[test]
fn a_long_list_breaks_off_at_a_damaged_event() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    post_many(&service, 1200, &long_event());
    assert_eq!(service.terminate(), Some(0));
    // The ids of two processes are in order only if their seconds differ.
    thread::sleep(Duration::from_secs(1));
    store(dir.path(), 2);
    flip_bit_of(dir.path(), 0);
    let service = Service::start("events", dir.path());
    assert!(!readers::is_whole(readers::ask("GET /events", &service)));
    // Pages before it are whole.
    let first = get(&service, "/events?limit=20");
    assert_eq!(first.json().as_array().map(Vec::len), Some(20), "{first:?}");
}

/// Whether everything that a service answers is as it was stored, or an error.
fn serves_nothing_wrong(service: &Service, stored: &[(String, String)], what: &str) {
    for (path, body) in stored {
        let Ok(answer) = try_send(service.address, "GET", path, None) else { continue };
        match answer.status {
            200 => assert_eq!(answer.body, *body, "{what}"),
            // What the index by id has lost is not there to be looked at: lists and backups, which
            // know how many there are, tell.
            404 | 503 => {}
            _ => panic!("{what}: {path}: {answer:?}"),
        }
    }
    let bodies: Vec<_> = stored.iter().map(|(_, body)| body.as_str()).collect();
    let whole = format!("[{}]", bodies.join(", "));
    for path in ["/events", "/events?limit=1000"] {
        let Ok(list) = try_send(service.address, "GET", path, None) else { continue };
        match list.status {
            200 => assert_eq!(list.body, whole, "{what}: {path}"),
            503 => {}
            _ => panic!("{what}: {path}: {list:?}"),
        }
    }
}

#[test]
fn damage_anywhere_in_the_file_is_reported_or_does_no_harm() {
    const PAGE: usize = 4096;
    let (dir, copy) = (temp_dir(), temp_dir());
    let stored = store(dir.path(), 60);
    let whole = fs::read(dir.path().join(FILE)).unwrap();
    // In the head of each page: its kind, the number of its cells, where they are.
    let heads = (0..whole.len() / PAGE).flat_map(|page| {
        let head = page * PAGE + if page == 0 { 100 } else { 0 };
        [0, 3, 4, 6, 9].map(|at| head + at)
    });
    let others = (0..whole.len()).step_by(1499);
    let (mut refused, mut started) = (0, 0);
    for at in heads.chain(others) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 7);
        fs::write(copy.path().join(FILE), bytes).unwrap();
        let args = ["--listen", "127.0.0.1:0"];
        let mut command = Command::new(program("events"));
        command.args(args).stdout(Stdio::null()).stderr(Stdio::piped());
        let what = format!("byte {at}, page {}", at / PAGE);
        match Service::try_start(command, copy.path()) {
            Ok(service) => {
                serves_nothing_wrong(&service, &stored, &what);
                started += 1;
            }
            Err(output) => {
                let stderr = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(65), "{what}: {stderr}");
                assert!(stderr.contains(FILE), "{what}: {stderr}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && started > 0, "{refused} refused, {started} started");
}

/// A start that must fail, with its exit code and what it says.
fn refused(data: &Path, code: i32, says: &[&str]) {
    let before = crate::backup::names(data);
    let output = run_service("events", &["--listen", "127.0.0.1:0"], data);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for text in says {
        assert!(stderr.contains(text), "{text}: {stderr}");
    }
    let mut after = crate::backup::names(data);
    // What programs of SQLite leave beside a database that they have looked at.
    after.retain(|name| {
        before.contains(name) || !["-shm", "-wal"].iter().any(|it| name.ends_with(it))
    });
    after.retain(|name| before.contains(name) || name != "lock");
    assert_eq!(after, before);
}

#[test]
fn a_log_of_an_older_version_is_refused_by_name() {
    let dir = temp_dir();
    fs::write(dir.path().join("log"), "EventPost log").unwrap();
    let log = dir.path().join("log").display().to_string();
    refused(dir.path(), 65, &[&log, "older version", "--data"]);
    assert_eq!(fs::read(dir.path().join("log")).unwrap(), b"EventPost log");
    let (code, message) = back_up(dir.path());
    assert_eq!(code, Some(65), "{message}");
}

#[test]
fn a_file_that_is_no_database_of_ours_is_refused_and_left_alone() {
    let dir = temp_dir();
    let file = dir.path().join(FILE);
    let name = file.display().to_string();
    let text = "This is no database at all. ".repeat(400);
    fs::write(&file, &text).unwrap();
    refused(dir.path(), 65, &[&name]);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    fs::remove_file(&file).unwrap();
    let other = Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE things (a); INSERT INTO things VALUES (1);").unwrap();
    drop(other);
    refused(dir.path(), 65, &[&name, "another program"]);
    let other = Connection::open(&file).unwrap();
    let things: i64 = other.query_row("SELECT a FROM things", [], |row| row.get(0)).unwrap();
    assert_eq!(things, 1);
}

#[test]
fn a_newer_schema_is_refused_unless_this_version_may_still_use_it() {
    let dir = temp_dir();
    let stored = store(dir.path(), 1);
    let newer = Connection::open(dir.path().join(FILE)).unwrap();
    newer.execute_batch("PRAGMA user_version = 3; INSERT INTO migrations VALUES (3, 1);").unwrap();
    drop(newer);
    let service = Service::start("events", dir.path());
    assert_eq!(get(&service, &stored[0].0).body, stored[0].1);
    assert_eq!(send(service.address, "POST", "/events", Some(EVENT)).status, 201);
    assert_eq!(service.terminate(), Some(0));

    let newer = Connection::open(dir.path().join(FILE)).unwrap();
    newer.execute_batch("PRAGMA user_version = 4; INSERT INTO migrations VALUES (4, 4);").unwrap();
    drop(newer);
    refused(dir.path(), 65, &[FILE, "schema 4", "install a newer one"]);
    assert_eq!(back_up(dir.path()).0, Some(65));
}

#[test]
fn a_database_that_another_program_has_locked_is_named() {
    let dir = temp_dir();
    store(dir.path(), 1);
    let other = Connection::open(dir.path().join(FILE)).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;").unwrap();
    refused(dir.path(), 75, &[FILE, "locked by another program"]);
    drop(other);
    assert_eq!(Service::start("events", dir.path()).terminate(), Some(0));
}
