//! Pages in a browser: which of them may use a service, and by which names.

use std::process::Command;

use super::{NOTIFICATION, start, with_file};
use crate::harness::http::{ask, ask_by_name};
use crate::harness::tokens::Tokens;
use crate::harness::{EVENT, Service, program, temp_dir};

#[test]
fn a_name_that_was_made_to_point_at_loopback_reaches_nothing() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let open = Service::start("events", &dir.path().join("open"));
    let closed = start("events", &tokens, dir.path());
    for (service, header) in [(&open, String::new()), (&closed, tokens.header("admin"))] {
        let port = service.address.port();
        for host in ["evil.test", &format!("evil.test:{port}"), "10.0.0.1", "localhost.evil.test"] {
            for (method, path) in [
                ("GET", "/events"),
                ("POST", "/events"),
                ("GET", "/metrics"),
                ("GET", "/readyz"),
                ("GET", "/"),
                ("OPTIONS", "/events"),
            ] {
                let answer = ask_by_name(service.address, host, method, path, &header, EVENT);
                assert_eq!(answer.status, 421, "{host} {method} {path}: {answer:?}");
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            }
        }
        for host in ["127.0.0.1", "localhost", &format!("localhost:{port}"), "[::1]"] {
            let answer = ask_by_name(service.address, host, "GET", "/events", &header, "");
            assert_eq!((answer.status, answer.body.as_str()), (200, "[]"), "{host}");
        }
    }
}

#[test]
fn pages_of_other_origins_change_nothing() {
    let tokens = Tokens::of_all_roles();
    for (name, body) in [("events", EVENT), ("notifications", NOTIFICATION)] {
        let dir = temp_dir();
        let open = Service::start(name, &dir.path().join("open"));
        let closed = start(name, &tokens, dir.path());
        for (service, token) in [(&open, String::new()), (&closed, tokens.header("write"))] {
            let path = format!("/{name}");
            let post = |headers: &str| {
                // What a form or a script of any page may send without asking first.
                let headers = format!("{token}Content-Type: text/plain\r\n{headers}");
                ask(service.address, "POST", &path, &headers, body)
            };
            for foreign in [
                "Origin: http://evil.test\r\n",
                "Origin: null\r\n",
                "Sec-Fetch-Site: cross-site\r\n",
                "Origin: http://localhost:1\r\nSec-Fetch-Site: same-site\r\n",
                "Origin: http://localhost\r\nSec-Fetch-Site: cross-site\r\n",
            ] {
                let answer = post(foreign);
                assert_eq!(answer.status, 403, "{foreign}: {answer:?}");
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
            }
            let list = || ask(service.address, "GET", &path, &token, "").body;
            assert_eq!(list(), "[]");
            for own in ["", "Origin: http://localhost\r\n", "Sec-Fetch-Site: same-origin\r\n"] {
                assert_eq!(post(own).status, 201, "{own}");
            }
            let foreign = "Origin: http://evil.test\r\nSec-Fetch-Site: cross-site\r\n";
            let answer = ask(service.address, "GET", &path, &format!("{token}{foreign}"), "");
            // The browser keeps it from the page.
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
        }
    }
}

#[test]
fn pages_that_may_use_a_service_may_send_a_token() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let mut command = with_file("notifications", &tokens, dir.path());
    command.args(["--allow-origins", "https://a.example"]);
    let service = Service::start_command(command, &dir.path().join("data"));
    let page = "Origin: https://a.example\r\nSec-Fetch-Site: cross-site\r\n";
    let headers = format!("{page}Access-Control-Request-Headers: authorization\r\n");
    let answer = ask(service.address, "OPTIONS", "/notifications", &headers, "");
    assert_eq!(answer.status, 200);
    let allowed = answer.header("access-control-allow-headers").unwrap();
    assert!(allowed.split(", ").any(|name| name == "authorization"), "{allowed}");
    // A browser sends a token of its own accord to nobody.
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    for (token, status) in [(String::new(), 401), (tokens.header("write"), 201)] {
        let headers = format!("{page}{token}");
        let answer = ask(service.address, "POST", "/notifications", &headers, NOTIFICATION);
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"));
    }
}

#[test]
fn private_answers_are_kept_by_nobody_and_public_ones_may_be() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let mut open = Command::new(program("notifications"));
    open.args(["--access", "open"]);
    let services = [
        (Service::start_command(open, &dir.path().join("open")), String::new()),
        (start("notifications", &tokens, dir.path()), tokens.header("admin")),
    ];
    for (service, header) in &services {
        let send =
            |method: &str, path: &str, body: &str| ask(service.address, method, path, header, body);
        let made = send("POST", "/notifications", NOTIFICATION);
        let item = made.header("location").unwrap();
        for answer in [
            send("GET", "/notifications", ""),
            send("HEAD", "/notifications", ""),
            send("GET", "/notifications?limit=1", ""),
            send("GET", item, ""),
            send("PUT", item, NOTIFICATION),
            send("PUT", item, "{"),
            send("DELETE", item, ""),
            send("GET", item, ""),
            send("GET", "/readyz", ""),
            send("GET", "/metrics", ""),
            made,
        ] {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        }
        assert_eq!(send("GET", "/healthz", "").header("cache-control"), None);
    }
    let events = Service::start("events", &dir.path().join("events"));
    assert_eq!(ask(events.address, "GET", "/events", "", "").header("cache-control"), None);
}
