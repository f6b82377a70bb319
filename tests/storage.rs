//! The data of the real services: a file size limit, damage, and copies.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::http::{send, try_send};
use crate::harness::{EVENT, Service, program, run_service, temp_dir};

/// Writes until the service says that it is full, and returns how many it has taken.
pub(crate) fn fill(service: &Service) -> usize {
    for n in 0.. {
        let answer = send(service.address, "POST", "/events", Some(EVENT));
        match answer.status {
            201 => {}
            507 => {
                assert_eq!(answer.header("retry-after"), Some("10"));
                return n;
            }
            _ => panic!("{answer:?}"),
        }
    }
    unreachable!("no disk is endless")
}

pub(crate) fn count(service: &Service) -> usize {
    send(service.address, "GET", "/events", None).json().as_array().unwrap().len()
}

#[test]
fn a_limit_on_file_sizes_is_a_full_disk() {
    let dir = temp_dir();
    let limited = |kib: u32| {
        // The shell sets the limit; the service takes its place.
        let run = format!("ulimit -f {kib} && exec \"$0\" \"$@\"");
        let mut command = Command::new("bash");
        command.args(["-c", &run]).arg(program("events"));
        Service::start_command(command, dir.path())
    };
    let service = limited(64);
    let stored = fill(&service);
    assert!(stored > 100, "{stored}");
    assert_eq!(count(&service), stored);
    service.kill();
    let service = limited(128);
    assert_eq!(count(&service), stored, "nothing of the refused write is left");
    assert!(fill(&service) > 100);
}

#[test]
fn a_damaged_resource_is_reported_and_never_served() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let ids: Vec<String> = (0..3)
        .map(|_| {
            let event = send(service.address, "POST", "/events", Some(EVENT)).json();
            event["id"].as_str().unwrap().into()
        })
        .collect();
    let log = dir.path().join("log");
    let bytes = fs::read(&log).unwrap();
    let at = bytes.windows(24).rposition(|text| text == ids[1].as_bytes()).unwrap();
    let file = fs::File::options().write(true).open(&log).unwrap();
    file.write_all_at(b"X", at as u64 + 40).unwrap();
    let path = |id: &str| format!("/events/{id}");
    assert_eq!(send(service.address, "GET", &path(&ids[1]), None).status, 500);
    assert_eq!(send(service.address, "GET", &path(&ids[0]), None).status, 200);
    // The list cannot be whole: it is refused, not served with a hole.
    assert!(
        !matches!(try_send(service.address, "GET", "/events", None), Ok(list) if list.status == 200)
    );
    // What replaces it is as good as new.
    assert_eq!(send(service.address, "PUT", &path(&ids[1]), Some(EVENT)).status, 200);
    assert_eq!(count(&service), 3);
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
        let writer = scope.spawn(|| {
            for _ in 0..200 {
                send(service.address, "POST", "/events", Some(EVENT));
            }
        });
        let output = copy("backup", &[file], &data);
        writer.join().unwrap();
        output
    });
    assert!(output.status.success(), "{output:?}");
    let piped = copy("backup", &["-"], &data);
    assert!(piped.stdout.starts_with(b"EventPost copy1\n"), "{piped:?}");

    let output = copy("restore", &[file], &data);
    assert_eq!(output.status.code(), Some(75), "a running service's data stay: {output:?}");
    let other = dir.path().join("other");
    assert!(copy("restore", &[file], &other).status.success());
    let restored = Service::start("events", &other);
    let text = send(restored.address, "GET", "/events", None).body;
    let begin = list.strip_suffix(']').unwrap();
    assert!(text.starts_with(begin), "what was answered before the copy began is in it");
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
    assert!(stderr.contains("without its end mark"), "{stderr}");
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
    for _ in 0..300 {
        let event = EVENT.replace(&"d".repeat(20), &"d".repeat(400));
        assert_eq!(send(service.address, "POST", "/events", Some(&event)).status, 201);
    }
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
