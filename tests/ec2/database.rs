//! Hosts whose services keep their data in PostgreSQL.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::ONE;
use crate::harness::EVENT;
use crate::harness::http::{Client, send};
use crate::harness::region::{Stack, on_host};

/// Makes a database for hosts of the testbed, and writes its URL to a file. Returns the password.
fn write_url(stack: &Stack, gateway: &str) -> String {
    let server = std::env::var("EVENTPOST_POSTGRES")
        .expect("EVENTPOST_POSTGRES has the URL of a server: testbed/postgres prints it");
    for sql in ["DROP DATABASE IF EXISTS of_hosts WITH (FORCE)", "CREATE DATABASE of_hosts"] {
        let made = Command::new("psql").args(["-q", &server, "-c", sql]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let url = server.replace("@127.0.0.1:", &format!("@{gateway}:"));
    let (base, _) = url.rsplit_once('/').unwrap();
    stack.world.write_secret("database-url", &format!("{base}/of_hosts\n"));
    let password = url.split([':', '@']).nth(2).unwrap();
    password.to_owned()
}

#[test]
#[ignore = "needs root, Docker and PostgreSQL: run scripts/test"]
fn hosts_are_replaced_without_refusing_a_write_where_the_data_are_in_a_database() {
    let stack = Stack::new("database", ONE);
    stack.run(&["up"]).succeeded();
    // Where hosts of the testbed find this machine.
    let route = on_host(&stack.instance(0), &["ip", "route", "show", "default"]);
    let gateway = route.split_whitespace().nth(2).unwrap().to_owned();
    let password = write_url(&stack, &gateway);
    stack.run(&["backup", "from-files"]).succeeded();
    stack.describe(
        "  events: {build: events, fixtures: events.yml, database: {url_file: database-url}}\n",
    );
    // The data are on the old host, and would be lost with it.
    let plan = stack.run(&["plan"]);
    assert!(plan.stdout.contains("8 resources lost"), "{plan:?}");
    stack.run(&["up", "--yes"]).succeeded();
    stack.run(&["restore", "from-files", "--yes"]).succeeded();

    let old = stack.address(0);
    let (before, stop) = (stack.resources(0), AtomicBool::new(false));
    let made = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let (mut client, mut made) = (Client::connect(old).unwrap(), 0);
            while !stop.load(Ordering::Relaxed) {
                let Ok(answer) = client.send("POST", "/events", EVENT) else { break };
                assert_eq!(answer.status, 201, "{answer:?}");
                made += 1;
            }
            made
        });
        stack.run(&["up"]).succeeded();
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(made > 50, "{made}");
    // One may have been made whose answer did not arrive.
    let now = stack.resources(0);
    assert!((before + made..=before + made + 1).contains(&now), "{now}, {before} and {made}");
    assert_eq!(send(stack.address(0), "POST", "/events", Some(EVENT)).status, 201);

    // A copy of the database is taken and restored beside the running service.
    stack.run(&["backup", "from-database"]).succeeded();
    assert_eq!(send(stack.address(0), "POST", "/events", Some(EVENT)).status, 201);
    stack.run(&["restore", "from-database", "--yes"]).succeeded();
    assert_eq!(stack.resources(0), now + 1);
    stack.run(&["deploy"]).succeeded();
    let seen = stack.run(&["doctor"]).succeeded().stdout;
    let inspected = on_host(&stack.instance(0), &["docker", "inspect", "eventpost-events"]);
    let logs = stack.run(&["logs", "--tail", "1000"]).stdout;
    for text in [&seen, &inspected, &logs] {
        assert!(!text.contains(&password), "the password is in {text}");
    }
    stack.run(&["down", "--yes"]).succeeded();
}
