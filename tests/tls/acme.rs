//! Certificates that an authority issues.

use std::fs;
use std::path::Path;

use super::Https;
use super::pebble::Pebble;
use crate::harness::{assert_private, free_ports, temp_dir, wait_for};

const NINETY_DAYS: u32 = 90 * 86_400;

/// Starts a service whose certificates the authority issues.
fn start(data: &Path, port: u16, pebble: &Pebble) -> Https {
    let (directory, ca) = (pebble.directory(), pebble.ca.to_str().unwrap());
    let args = ["--acme-directory", &directory, "--acme-ca-file", ca];
    Https::start(data, port, &[&args[..], &["--acme-contact", "me@example.org"]].concat())
}

fn wait_for_certificate(https: &Https) -> String {
    wait_for("a certificate", || https.ready("certificate_expires"))
}

#[test]
#[ignore = "needs pebble: run scripts/test"]
fn a_certificate_is_issued_once_and_kept() {
    let (dir, port) = (temp_dir(), free_ports());
    let (data, other) = (dir.path().join("data"), dir.path().join("other"));
    let mut pebble = Pebble::start(dir.path(), port, NINETY_DAYS);
    let https = start(&data, port, &pebble);
    let expires = wait_for_certificate(&https);
    let root = pebble.root();
    assert!(https.is_served("a.test", &root) && https.is_served("b.test", &root));
    assert_eq!((https.ready("certificate_problem"), pebble.orders()), (None, 1));
    assert_private(&data.join("tls"));
    assert_eq!(https.service.terminate(), Some(0));
    // Also after a crash, and without the authority.
    for _ in 0..2 {
        let https = start(&data, port, &pebble);
        assert_eq!(https.ready("certificate_expires"), Some(expires.clone()));
        assert!(https.is_served("a.test", &root));
        https.service.kill();
        assert_eq!(pebble.orders(), 1);
        pebble.leave();
    }
    fs::rename(&data, &other).unwrap();
    let https = start(&other, port, &pebble);
    assert_eq!(https.ready("certificate_expires"), Some(expires));
    assert!(https.is_served("b.test", &root));
}

#[test]
#[ignore = "needs pebble: run scripts/test"]
fn a_certificate_is_renewed_before_it_expires_while_clients_are_served() {
    let (dir, port) = (temp_dir(), free_ports());
    let pebble = Pebble::start(dir.path(), port, 30);
    let https = start(&dir.path().join("data"), port, &pebble);
    let first = wait_for_certificate(&https);
    let root = pebble.root();
    wait_for("a new certificate", || {
        assert!(https.is_served("a.test", &root));
        (https.ready("certificate_expires").unwrap() != first).then_some(())
    });
    assert_eq!(pebble.orders(), 2);
    assert!(https.is_served("a.test", &root));
}

#[test]
#[ignore = "needs pebble: run scripts/test"]
fn an_authority_that_was_away_is_asked_when_it_is_back() {
    let (dir, port) = (temp_dir(), free_ports());
    let mut pebble = Pebble::start(dir.path(), port, NINETY_DAYS);
    pebble.leave();
    let https = start(&dir.path().join("data"), port, &pebble);
    wait_for("the authority to be missed", || {
        https.ready("certificate_problem").filter(|it| it.contains("cannot be reached"))
    });
    pebble.resume();
    let root = pebble.root();
    assert_eq!(https.fetch("a.test", "/healthz", &root, &[]).code, Some(35));
    wait_for_certificate(&https);
    assert!(https.is_served("a.test", &root));
}

#[test]
#[ignore = "needs pebble: run scripts/test"]
fn a_failed_check_is_shown_and_not_repeated_by_restarts() {
    let (dir, port) = (temp_dir(), free_ports());
    let data = dir.path().join("data");
    // Where nobody listens, as behind a firewall.
    let pebble = Pebble::start(dir.path(), free_ports(), NINETY_DAYS);
    for _ in 0..3 {
        let https = start(&data, port, &pebble);
        let problem = wait_for("the failure", || {
            https.ready("certificate_problem").filter(|it| it.contains("The next attempt"))
        });
        for part in ["a.test: Failed to connect", "b.test: ", "port 443"] {
            assert!(problem.contains(part), "{problem}");
        }
        https.service.kill();
        assert_eq!(pebble.orders(), 1);
    }
}

#[test]
#[ignore = "needs pebble: run scripts/test"]
fn an_order_is_resumed_and_an_unknown_account_is_replaced() {
    let (dir, port) = (temp_dir(), free_ports());
    let data = dir.path().join("data");
    let mut pebble = Pebble::start(dir.path(), port, NINETY_DAYS);
    let attempts = data.join("tls/attempts.json");
    let https = start(&data, port, &pebble);
    wait_for("the order", || {
        fs::read_to_string(&attempts).ok().filter(|text| text.contains("/my-order/"))
    });
    https.service.kill();
    let past = || {
        let mut state: serde_json::Value =
            serde_json::from_slice(&fs::read(&attempts).unwrap()).unwrap();
        state["last"] = 1.into();
        fs::write(&attempts, state.to_string()).unwrap();
    };
    past();
    let https = start(&data, port, &pebble);
    wait_for_certificate(&https);
    assert_eq!(pebble.orders(), 1);
    https.service.kill();
    pebble.leave();
    pebble.resume();
    // Its root is another now, and so is its list of accounts.
    fs::remove_file(data.join("tls/certificate.pem")).unwrap();
    let https = start(&data, port, &pebble);
    wait_for_certificate(&https);
    assert!(https.is_served("a.test", &pebble.root()));
}
