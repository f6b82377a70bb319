//! Who may do what.

use std::process::{Command, Stdio};

use super::{NOTIFICATION, WRONG, start};
use crate::harness::http::{ask, exchange, statuses};
use crate::harness::tokens::Tokens;
use crate::harness::{EVENT, Service, free_ports, program, temp_dir};

const MISSING: &str = "5e0745fe9c1a2b3c4d5e6f70";

/// A request, and its status without a token, with one that is not valid, and with those of
/// the roles read, write and admin.
type Row<'a> = (&'a str, &'a str, &'a str, [u16; 5]);

fn check(service: &Service, tokens: &Tokens, rows: &[Row<'_>]) {
    let [read, write, admin] = ["read", "write", "admin"].map(|role| tokens.header(role));
    for (method, path, body, expected) in rows {
        let headers = ["", WRONG, &read, &write, &admin];
        let got = headers.map(|header| {
            let answer = ask(service.address, method, path, header, body);
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
            let challenge = answer.header("www-authenticate");
            match answer.status {
                401 if header.is_empty() => {
                    assert_eq!(challenge, Some("Bearer realm=\"eventpost\""));
                }
                401 => assert!(challenge.unwrap().contains("invalid_token"), "{answer:?}"),
                403 => assert!(challenge.unwrap().contains("insufficient_scope"), "{answer:?}"),
                _ => assert_eq!(challenge, None),
            }
            if matches!(answer.status, 401 | 403) {
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
            }
            answer.status
        });
        assert_eq!(got, *expected, "{method} {path} {body:.20}");
    }
}

const EVERYBODY: [u16; 5] = [200; 5];
const READERS: [u16; 5] = [401, 401, 200, 200, 200];
const OPERATORS: [u16; 5] = [401, 401, 403, 403, 200];
const MISSING_TO_WRITERS: [u16; 5] = [401, 401, 403, 404, 404];

/// What every service has.
const OF_ALL: [Row<'_>; 13] = [
    ("GET", "/healthz", "", EVERYBODY),
    ("HEAD", "/healthz", "", EVERYBODY),
    // A wrong token is not passed off as a valid one.
    ("GET", "/readyz", "", [200, 401, 200, 200, 200]),
    ("HEAD", "/readyz", "", [200, 401, 200, 200, 200]),
    ("GET", "/metrics", "", OPERATORS),
    ("HEAD", "/metrics", "", OPERATORS),
    ("GET", "/openapi.json", "", READERS),
    ("HEAD", "/openapi.json", "", READERS),
    ("OPTIONS", "/metrics", "", EVERYBODY),
    ("OPTIONS", "/openapi.json", "", EVERYBODY),
    ("POST", "/metrics", "", [405; 5]),
    ("GET", "/other", "", [404; 5]),
    ("DELETE", "/other", "", [404; 5]),
];

#[test]
fn everybody_reads_events_and_holders_of_a_token_change_them() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let service = start("events", &tokens, dir.path());
    let made = ask(service.address, "POST", "/events", &tokens.header("write"), EVENT);
    let item = made.header("location").unwrap();
    let shown = item.replace("/events/", "/show/");
    let missing = format!("/events/{MISSING}");
    check(&service, &tokens, &OF_ALL);
    check(
        &service,
        &tokens,
        &[
            ("GET", "/events", "", EVERYBODY),
            ("HEAD", "/events", "", EVERYBODY),
            ("GET", "/events?limit=1", "", EVERYBODY),
            ("GET", "/events?q=d&order=desc", "", EVERYBODY),
            ("GET", item, "", EVERYBODY),
            ("HEAD", item, "", EVERYBODY),
            ("GET", &missing, "", [404; 5]),
            ("GET", "/", "", EVERYBODY),
            ("GET", "/?q=d", "", EVERYBODY),
            ("GET", &shown, "", EVERYBODY),
            ("GET", "/page.css", "", EVERYBODY),
            ("OPTIONS", "/events", "", EVERYBODY),
            ("OPTIONS", item, "", EVERYBODY),
            ("POST", "/", "", [405; 5]),
            ("PATCH", "/events", "", [405; 5]),
            ("POST", "/events", EVENT, [401, 401, 403, 201, 201]),
            ("POST", "/events", "{", [401, 401, 403, 422, 422]),
            ("POST", "/events", "", [401, 401, 403, 400, 400]),
            ("PUT", item, EVENT, [401, 401, 403, 200, 200]),
            ("PUT", item, "{", [401, 401, 403, 422, 422]),
            ("PUT", &missing, EVENT, MISSING_TO_WRITERS),
            ("DELETE", &missing, "", MISSING_TO_WRITERS),
            ("DELETE", "/events/abc", "", MISSING_TO_WRITERS),
            ("DELETE", item, "", [401, 401, 403, 200, 404]),
        ],
    );
}

#[test]
fn nobody_reads_notifications_without_a_token() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    // With a relay, without which nothing can be sent again; nobody listens where it should be.
    let mut command = super::with_file("notifications", &tokens, dir.path());
    command.args(["--mail-host", "localhost", "--mail-port", &free_ports().to_string()]);
    command.args(["--mail-from", "a@example.org", "--mail-security", "none"]);
    let service = Service::start_command(command, &dir.path().join("data"));
    let made =
        ask(service.address, "POST", "/notifications", &tokens.header("write"), NOTIFICATION);
    let item = made.header("location").unwrap();
    let missing = format!("/notifications/{MISSING}");
    let (retry, retry_missing) = (format!("{item}/retry"), format!("{missing}/retry"));
    check(&service, &tokens, &OF_ALL);
    check(
        &service,
        &tokens,
        &[
            ("GET", "/notifications", "", READERS),
            ("HEAD", "/notifications", "", READERS),
            ("GET", "/notifications?limit=1", "", READERS),
            ("GET", "/notifications?limit=x", "", [401, 401, 400, 400, 400]),
            ("GET", "/notifications?state=scheduled", "", READERS),
            ("GET", item, "", READERS),
            ("HEAD", item, "", READERS),
            ("GET", &format!("{item}?fields=state"), "", READERS),
            ("GET", &missing, "", [401, 401, 404, 404, 404]),
            ("GET", "/notifications/abc", "", [401, 401, 404, 404, 404]),
            ("GET", "/", "", [404; 5]),
            ("OPTIONS", "/notifications", "", EVERYBODY),
            ("OPTIONS", &retry, "", EVERYBODY),
            ("POST", "/notifications", NOTIFICATION, [401, 401, 403, 201, 201]),
            ("POST", "/notifications", "{", [401, 401, 403, 422, 422]),
            ("PUT", item, NOTIFICATION, [401, 401, 403, 200, 200]),
            // It waits to be sent: there is nothing to retry.
            ("POST", &retry, "", [401, 401, 403, 403, 409]),
            ("POST", &retry_missing, "", [401, 401, 403, 403, 404]),
            ("POST", "/notifications/retry?state=failed", "", [401, 401, 403, 403, 202]),
            ("POST", "/notifications/retry", "", [401, 401, 403, 403, 400]),
            ("GET", "/notifications/retry", "", [405; 5]),
            ("DELETE", &missing, "", MISSING_TO_WRITERS),
            ("DELETE", item, "", [401, 401, 403, 200, 404]),
        ],
    );
}

#[test]
fn only_administrators_see_what_a_service_is_and_holds() {
    let tokens = Tokens::of_all_roles();
    for name in ["events", "notifications"] {
        let dir = temp_dir();
        let service = start(name, &tokens, dir.path());
        let bare = serde_json::json!({"status": "ready", "service": name});
        for header in [String::new(), tokens.header("read"), tokens.header("write")] {
            assert_eq!(ask(service.address, "GET", "/readyz", &header, "").json(), bare);
        }
        let whole = ask(service.address, "GET", "/readyz", &tokens.header("admin"), "").json();
        assert_eq!((&whole["access"], &whole["resources"]), (&"tokens".into(), &0.into()));
        assert!(whole["version"].is_string(), "{whole}");
    }
    let dir = temp_dir();
    let open = Service::start("events", dir.path());
    let whole = ask(open.address, "GET", "/readyz", "", "").json();
    assert_eq!((&whole["access"], &whole["resources"]), (&"open".into(), &0.into()));
}

#[test]
fn without_a_token_nothing_of_a_change_is_read() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let service = start("events", &tokens, dir.path());
    let post = "POST /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    for (what, request, with_token) in [
        // None of these bodies comes.
        ("a body to wait for", "Expect: 100-continue\r\nContent-Length: 5\r\n", None),
        ("a large body", "Content-Length: 100000000\r\n", Some(413)),
        ("a condition", "If-Match: \"x\"\r\nContent-Length: 10\r\n", None),
    ] {
        let answer = exchange(service.address, format!("{post}{request}\r\n").as_bytes());
        assert_eq!(statuses(&answer), [401], "{what}");
        if let Some(status) = with_token {
            let header = tokens.header("write");
            let request = format!("{post}{header}{request}\r\n");
            assert_eq!(statuses(&exchange(service.address, request.as_bytes())), [status]);
        }
    }
    assert_eq!(ask(service.address, "GET", "/events", "", "").body, "[]");
}

#[test]
fn a_token_is_taken_from_its_header_alone() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let service = start("notifications", &tokens, dir.path());
    let header = tokens.header("admin");
    let secret = header.trim_end().rsplit(' ').next().unwrap();
    for (path, headers) in [
        (format!("/notifications?access_token={secret}"), String::new()),
        ("/notifications".into(), format!("Cookie: access_token={secret}\r\n")),
        ("/notifications".into(), format!("X-Api-Key: {secret}\r\n")),
        ("/notifications".into(), format!("Authorization: Basic {secret}\r\n")),
        ("/notifications".into(), format!("Authorization: {secret}\r\n")),
        // Of two the last counts: it is never the first alone that is looked at.
        ("/notifications".into(), format!("{header}{WRONG}")),
    ] {
        let answer = ask(service.address, "GET", &path, &headers, "");
        assert_eq!(answer.status, 401, "{path} {headers}");
    }
    assert_eq!(ask(service.address, "GET", "/notifications", &header, "").status, 200);
}

#[test]
fn no_token_is_found_in_what_a_service_says_or_is_started_by() {
    let tokens = Tokens::of_all_roles();
    for format in ["text", "json"] {
        let dir = temp_dir();
        let file = |name: &str| std::fs::File::create(dir.path().join(name)).unwrap();
        let mut command = Command::new(program("events"));
        command.args(["--listen", "127.0.0.1:0", "--log-format", format]);
        command.env("ACCESS_TOKENS", tokens.on_one_line()).env("ACCESS_LOG", "all");
        command.env("RUST_LOG", "trace").stdin(Stdio::null());
        command.stdout(file("stdout")).stderr(file("stderr"));
        let service = Service::start_with_arguments(command, &dir.path().join("data"));
        for role in ["read", "write", "admin"] {
            let header = tokens.header(role);
            for (method, path) in [("GET", "/events"), ("POST", "/events"), ("GET", "/metrics")] {
                ask(service.address, method, path, &header, "{");
                // Nor is one that was mistyped.
                ask(service.address, method, path, &header.replace("Bearer", "Bearer X"), "{");
            }
        }
        let proc = |name: &str| std::fs::read(format!("/proc/{}/{name}", service.pid())).unwrap();
        let mut said = [proc("cmdline"), proc("environ")].concat();
        assert_eq!(service.terminate(), Some(0));
        let log = std::fs::read_to_string(dir.path().join("stdout")).unwrap();
        assert_eq!(log.lines().count(), 18, "{format}");
        said.extend(log.into_bytes());
        said.extend(std::fs::read(dir.path().join("stderr")).unwrap());
        let said = String::from_utf8_lossy(&said);
        for secret in tokens.secrets() {
            assert!(!said.contains(&secret["eventpost_".len()..]), "{format}: {said}");
        }
    }
}

#[test]
fn each_change_is_logged_with_who_made_it_and_without_what_was_written() {
    let (tokens, dir) = (Tokens::of_all_roles(), temp_dir());
    let errors = std::fs::File::create(dir.path().join("stderr")).unwrap();
    let mut command = Command::new(program("events"));
    command.args(["--listen", "127.0.0.1:0", "--log-format", "json"]);
    command.args(["--trusted-proxies", "127.0.0.1", "--access-log", "off"]);
    command.env("ACCESS_TOKENS", tokens.on_one_line()).stderr(errors);
    let service = Service::start_with_arguments(command, &dir.path().join("data"));
    let send = |role: &str, method: &str, path: &str, body: &str| {
        let headers = format!("{}X-Forwarded-For: 198.51.100.7\r\n", tokens.header(role));
        ask(service.address, method, path, &headers, body)
    };
    let event = EVENT.replace("\"t\"", "\"what was written\"");
    let created = send("write", "POST", "/events", &event);
    let item = created.header("location").unwrap().to_owned();
    assert_eq!(send("read", "DELETE", &item, "").status, 403);
    assert_eq!(send("admin", "GET", &item, "").status, 200);
    assert_eq!(send("admin", "DELETE", &item, "").status, 200);
    assert_eq!(service.terminate(), Some(0));
    let log = std::fs::read_to_string(dir.path().join("stderr")).unwrap();
    assert!(!log.contains("what was written"), "{log}");
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let changes: Vec<_> = lines
        .filter(|line| line["message"] == "audit")
        .map(|line| ["who", "from", "method", "what"].map(|field| line[field].clone()))
        .collect();
    let expected =
        [["write", "198.51.100.7", "POST", &item], ["admin", "198.51.100.7", "DELETE", &item]];
    assert_eq!(changes, expected.map(|fields| fields.map(serde_json::Value::from)));
}
