//! Certificates from files, and what is the same for all of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Https, certificate};
use crate::harness::{EVENT, Signal, free_ports, http, run_service, signal, temp_dir, wait_for};

/// The arguments that name the files of a certificate.
fn files<'a>(certificate: &'a Path, key: &'a Path) -> [&'a str; 4] {
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    ["--tls-certificate-file", certificate, "--tls-key-file", key]
}

#[test]
#[ignore = "needs openssl and curl: run scripts/test"]
fn clients_choose_between_http1_and_http2() {
    let dir = temp_dir();
    let (ca, key) = certificate(dir.path(), "c", "DNS:a.test,DNS:b.test");
    let https = Https::start(&dir.path().join("data"), free_ports(), &files(&ca, &key));
    for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let options = [option, "-H", "Content-Type: application/json", "-d", EVENT];
        let made = https.fetch("a.test", "/events", &ca, &options);
        assert_eq!(made.status, format!("{version} 201"), "{made:?}");
        let list = https.fetch("b.test", "/events?limit=9", &ca, &[option]);
        assert_eq!(list.status, format!("{version} 200"), "{list:?}");
        assert!(list.body.contains(r#""title": "t""#), "{list:?}");
        // Too large headers are refused, as they are without TLS.
        let long = format!("X: {}", "x".repeat(20 << 10));
        let refused = https.fetch("a.test", "/events", &ca, &[option, "-H", &long]);
        assert_eq!(refused.status, format!("{version} 431"), "{refused:?}");
    }
    // Its own name is another than those of the certificate, and it is not trusted by itself.
    assert_eq!(https.fetch("c.test", "/healthz", &ca, &[]).code, Some(60));
    assert!(https.ready("certificate_expires").unwrap().ends_with('Z'));
    assert_eq!(https.ready("certificate_problem"), None);
    let expiry = https.service.metric("eventpost_certificate_expiry_seconds ");
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap();
    assert!((now + 86_400..now + 3 * 86_400).contains(&expiry), "{expiry}");
    assert_eq!(https.service.terminate(), Some(0));
}

#[test]
#[ignore = "needs openssl and curl: run scripts/test"]
fn renewed_files_are_used_and_broken_ones_are_not() {
    let dir = temp_dir();
    let (ca, key) = certificate(dir.path(), "c", "DNS:a.test");
    let (next, next_key) = certificate(dir.path(), "next", "DNS:a.test,DNS:b.test");
    let trusted = dir.path().join("trusted.pem");
    fs::write(&trusted, [fs::read(&ca).unwrap(), fs::read(&next).unwrap()].concat()).unwrap();
    let https = Https::start(&dir.path().join("data"), free_ports(), &files(&ca, &key));
    assert!(https.is_served("a.test", &trusted) && !https.is_served("b.test", &trusted));
    let problem = || https.ready("certificate_problem");
    assert_eq!(problem().as_deref(), Some("the certificate is not for b.test"));
    fs::rename(&next, &ca).unwrap();
    signal(https.service.pid(), Signal::HUP);
    wait_for("the service to complain", || {
        problem().filter(|problem| problem.contains("do not belong together"))
    });
    assert!(https.is_served("a.test", &trusted) && !https.is_served("b.test", &trusted));
    fs::rename(&next_key, &key).unwrap();
    signal(https.service.pid(), Signal::HUP);
    wait_for("the new certificate", || https.is_served("b.test", &trusted).then_some(()));
    assert_eq!(problem(), None);
    let (last, last_key) = certificate(dir.path(), "last", "DNS:b.test");
    fs::rename(&last, &ca).unwrap();
    fs::rename(&last_key, &key).unwrap();
    signal(https.service.pid(), Signal::HUP);
    let problem = wait_for("the service to miss a name", problem);
    assert_eq!(problem, "the certificate is not for a.test");
}

#[test]
#[ignore = "needs openssl: run scripts/test"]
fn files_that_cannot_be_used_are_an_error_at_start() {
    let dir = temp_dir();
    let (one, one_key) = certificate(dir.path(), "one", "DNS:a.test");
    let (two, two_key) = certificate(dir.path(), "two", "DNS:a.test");
    let missing = dir.path().join("missing");
    fs::set_permissions(&two_key, fs::Permissions::from_mode(0o644)).unwrap();
    for (certificate, key, problem) in [
        (&one, &missing, "missing cannot be read"),
        (&two, &one_key, "do not belong together"),
        (&one_key, &one_key, "no certificate"),
        (&two, &two_key, "chmod 600"),
    ] {
        let data = dir.path().join("data");
        let listen = ["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"];
        let args = [&listen[..], &files(certificate, key)].concat();
        let output = run_service("events", &args, &data);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains(problem) && !data.exists(), "{said}");
    }
}

#[test]
#[ignore = "needs openssl and curl: run scripts/test"]
fn clients_over_their_limit_of_connections_get_no_handshake() {
    let dir = temp_dir();
    let (ca, key) = certificate(dir.path(), "c", "DNS:a.test");
    let args = [&files(&ca, &key)[..], &["--limit-connections", "2"]].concat();
    let https = Https::start(&dir.path().join("data"), free_ports(), &args);
    let address = (std::net::Ipv4Addr::LOCALHOST, https.port).into();
    let held = [(); 2].map(|()| http::connect(address));
    wait_for("the connections to be counted", || {
        (https.fetch("a.test", "/healthz", &ca, &[]).code == Some(35)).then_some(())
    });
    drop(held);
    wait_for("room", || https.is_served("a.test", &ca).then_some(()));
}
