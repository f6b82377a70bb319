//! Services that answer HTTPS by a name, at an address that stays.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::ONE;
use crate::harness::region::{Stack, docker, elements};
use crate::harness::{temp_dir, wait_for};
use crate::tls::pebble::Pebble;

const NINETY_DAYS: u32 = 90 * 86_400;

/// Allocates an address for a service before there is a host, so that its name can point there.
fn allocate(stack: &Stack) -> String {
    let tag = |n: u8, key: &str, value: &str| {
        format!("&TagSpecification.1.Tag.{n}.Key={key}&TagSpecification.1.Tag.{n}.Value={value}")
    };
    let answer = stack.call(&format!(
        "Action=AllocateAddress&Domain=vpc&TagSpecification.1.ResourceType=elastic-ip{}{}",
        tag(1, "eventpost:stack", &stack.name),
        tag(2, "eventpost:service", "events")
    ));
    elements(&answer, "publicIp").remove(0)
}

/// The address of this machine that hosts of the testbed reach.
fn gateway() -> String {
    let format = "{{(index .IPAM.Config 0).Gateway}}";
    let output = docker().args(["network", "inspect", "bridge", "--format", format]).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}

/// The status of the list of events by HTTPS, for a client that trusts the root alone.
fn fetch(address: &str, root: &Path) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "30", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"])
        .args(["--resolve", &format!("events.test:443:{address}"), "--cacert"])
        .arg(root)
        .arg("https://events.test/events");
    String::from_utf8(curl.output().unwrap().stdout).unwrap()
}

fn expiry(row: &Value) -> Option<String> {
    row["certificate_expires"].as_str().map(str::to_owned)
}

#[test]
#[ignore = "needs root, Docker and pebble: run scripts/test"]
fn a_certificate_is_issued_once_and_goes_along_to_new_hosts() {
    let (stack, dir) = (Stack::new("https", ONE), temp_dir());
    let service = ONE.replace("events.yml}", "events.yml, domain: events.test}");
    stack.describe(&service);
    let refused = stack.run(&["plan"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("add `address: elastic`"), "{refused:?}");

    let address = allocate(&stack);
    let pebble = Pebble::start_at(dir.path(), &gateway(), (&address, 443), NINETY_DAYS);
    let (directory, ca) = (pebble.directory(), pebble.ca.display());
    let acme = format!("acme: {{directory: '{directory}', ca_file: {ca}}}\n");
    stack.describe_with(&format!("address: elastic\n{acme}"), &service);
    let up = stack.run(&["up"]).succeeded();
    assert!(up.stderr.contains(&format!("Set its A record to {address}")), "{up:?}");
    assert!(up.stdout.contains("https://events.test/events"), "{up:?}");
    let expires = wait_for("a certificate", || expiry(&stack.status()[0]));
    let root = pebble.root();
    assert_eq!((fetch(&address, &root).as_str(), pebble.orders()), ("2 200", 1));

    // With the data of the old host, and without.
    for args in [&["up"][..], &["up", "--fresh", "--yes"]] {
        stack.run(args).succeeded();
        let row = stack.status().remove(0);
        assert_eq!(row["address"], address, "{row}");
        assert_eq!(
            (expiry(&row), row["drift"].as_array().unwrap().len()),
            (Some(expires.clone()), 0)
        );
        assert_eq!((fetch(&address, &root).as_str(), pebble.orders()), ("2 200", 1));
    }
    stack.run(&["down", "--yes"]).succeeded();
}
