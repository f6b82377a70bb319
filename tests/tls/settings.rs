//! Services that serve HTTPS and have no certificate yet, and settings that make no sense.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::{Https, NO_DIRECTORY};
use crate::harness::http::{self, ask_by_name, exchange};
use crate::harness::{free_ports, run_service, temp_dir, wait_for};

fn start(data: &std::path::Path) -> Https {
    Https::start(data, free_ports(), &["--acme-directory", NO_DIRECTORY])
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[test]
fn a_service_without_a_certificate_runs_and_says_why_there_is_none() {
    let dir = temp_dir();
    let https = start(dir.path());
    let problem = wait_for("the authority to be missed", || {
        https.ready("certificate_problem").filter(|problem| problem.contains(NO_DIRECTORY))
    });
    assert!(problem.contains("cannot be reached"), "{problem}");
    assert_eq!(https.ready("certificate_expires"), None);
    // Plain HTTP is not answered where HTTPS is served.
    let answer = exchange(at(https.port), b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    https.service.wait_for_metric("eventpost_connections_failed_handshakes_total ", 1);
    assert_eq!(https.service.terminate(), Some(0));
}

#[test]
fn plain_http_is_redirected_and_changes_are_refused() {
    let dir = temp_dir();
    let https = start(dir.path());
    let redirect = at(https.port + 1);
    let send = |host, method, path| ask_by_name(redirect, host, method, path, "", "");
    for (host, to) in [("b.test", "b.test"), ("A.test:80", "a.test"), ("evil.test", "a.test")] {
        for method in ["GET", "HEAD"] {
            let answer = send(host, method, "/events?q=1");
            assert_eq!(answer.status, 308, "{answer:?}");
            let target = format!("https://{to}/events?q=1");
            assert_eq!(answer.header("location"), Some(target.as_str()));
        }
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = send("a.test", method, "/events");
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.json()["error"].as_str().unwrap().contains("https"), "{answer:?}");
    }
}

#[test]
fn slow_handshakes_are_closed() {
    let dir = temp_dir();
    let https = start(dir.path());
    let begin = Instant::now();
    assert_eq!(exchange(at(https.port), b"\x16\x03\x01\x02\x00"), b"");
    let time = begin.elapsed();
    assert!(Duration::from_secs(9) < time && time < Duration::from_secs(25), "{time:?}");
    https.service.wait_for_metric("eventpost_connections_failed_handshakes_total ", 1);
    // Both the client that is gone and this one.
    https.service.wait_for_metric("eventpost_connections ", 1);
}

#[test]
fn whoever_can_reach_https_needs_a_token_as_for_plain_http() {
    let dir = temp_dir();
    let (here, everywhere) = ("127.0.0.1:0", "0.0.0.0:0");
    let names = ["--tls-names", "a.test", "--acme-directory", NO_DIRECTORY];
    for (tls, redirect) in [(everywhere, here), (here, everywhere)] {
        let listen = ["--listen", here, "--tls-listen", tls, "--redirect-listen", redirect];
        let output = run_service("events", &[&listen[..], &names].concat(), &dir.path().join("d"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains("0.0.0.0:0 can be reached from other machines"), "{said}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let dir = temp_dir();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, "no certificate").unwrap();
    let ca = ca.to_str().unwrap();
    let tls = ["--tls-listen", "127.0.0.1:0"];
    for (args, problem) in [
        (&["--tls-names", "a.test"][..], "TLS_NAMES has no effect without --tls-listen"),
        (&tls, "TLS_LISTEN is set without a certificate"),
        (&[&tls[..], &["--tls-key-file", ca]].concat(), "without TLS_CERTIFICATE_FILE"),
        (&[&tls[..], &["--tls-names", "a.test", "--acme-ca-file", ca]].concat(), "there is none"),
    ] {
        let args = [&["--listen", "127.0.0.1:0"], args].concat();
        let data = dir.path().join("data");
        let output = run_service("events", &args, &data);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains(problem) && !data.exists(), "{said}");
    }
    let used = http::answer_with(|_| (200, ""));
    let args = ["--listen", "127.0.0.1:0", "--tls-listen", &used.to_string(), "--tls-names", "a"];
    let output = run_service("events", &args, &dir.path().join("data"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("another address with --tls-listen"), "{said}");
}
