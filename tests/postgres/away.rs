//! A database that cannot be reached, and one that comes back.

use std::fs;
use std::time::Duration;

use super::*;
use crate::harness::http::send;
use crate::harness::{EVENT, temp_dir, wait_for};

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn without_its_database_a_service_answers_503_and_goes_on_when_it_is_back() {
    let (server, dir) = (Server::start(), temp_dir());
    let service = start("events", &server.url(), dir.path());
    let get = |path: &str| send(service.address, "GET", path, None);
    let made = send(service.address, "POST", "/events", Some(EVENT));
    let path = made.header("location").unwrap().to_owned();
    assert_eq!(get("/readyz").status, 200);
    for mode in ["immediate", "fast"] {
        server.stop(mode);
        for (method, path, body) in [
            ("GET", path.as_str(), None),
            ("GET", "/events", None),
            ("GET", "/events?q=t", None),
            ("GET", "/events?limit=3", None),
            ("POST", "/events", Some(EVENT)),
            ("DELETE", &path, None),
        ] {
            let answer = send(service.address, method, path, body);
            assert_eq!(answer.status, 503, "{method} {path} {answer:?}");
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
        }
        let ready = get("/readyz");
        assert_eq!(ready.status, 503);
        let reason = ready.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.starts_with("The database cannot be used"), "{reason}");
        assert_eq!(get("/healthz").status, 200);
        assert_eq!(get("/metrics").status, 200);
        server.run("");
        wait_for("the service to be ready", || (get("/readyz").status == 200).then_some(()));
        assert_eq!(get(&path).status, 200);
        assert_eq!(send(service.address, "POST", "/events", Some(EVENT)).status, 201);
    }
    assert_eq!(service.terminate(), Some(0));
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn a_database_that_cannot_be_used_is_named_without_its_password() {
    let (server, dir) = (Server::start(), temp_dir());
    let file = dir.path().join("url");
    let port = server.port;
    for (url, code, part) in [
        ("mysql://u:secret@127.0.0.1/d".to_owned(), 78, "does not begin with postgres://"),
        (format!("postgres://u:secret@127.0.0.1:{port}/none"), 74, "role \"u\" does not exist"),
        (
            format!("postgres://postgres:secret@127.0.0.1:{port}/none"),
            74,
            "\"none\" does not exist",
        ),
    ] {
        fs::write(&file, url).unwrap();
        let mut command = Command::new(program("events"));
        command.arg("--database-url-file").arg(&file).args(["--listen", "127.0.0.1:0"]);
        let output = command.arg("--data").arg(dir.path().join("data")).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(part) && !said.contains("secret"), "{said}");
    }
    let mut command = Command::new(program("events"));
    command.env("DATABASE_URL_FILE", dir.path().join("no-such-file"));
    let output = command.arg("--data").arg(dir.path().join("data")).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn a_service_waits_for_a_database_that_starts_later() {
    let (server, dir) = (Server::start(), temp_dir());
    server.stop("fast");
    let service = std::thread::scope(|scope| {
        let starting = scope.spawn(|| start("events", &server.url(), dir.path()));
        // It has tried by then.
        std::thread::sleep(Duration::from_millis(1500));
        server.run("");
        starting.join().unwrap()
    });
    assert_eq!(send(service.address, "POST", "/events", Some(EVENT)).status, 201);
}
