//! Several processes with one database.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::harness::http::{Client, send};
use crate::harness::{EVENT, Service, program, temp_dir, wait_for};
use crate::mail::notification;
use crate::mail::relay::Relay;

/// Mails that are sent by three processes, of which two die.
const MAILS: usize = 500;
/// Claims of a process that has died end after a minute.
const LONGEST: Duration = Duration::from_secs(150);

/// A notifications service that sends mails.
fn sender(url: &str, data: &Path, relay: &Relay) -> Service {
    let mut command = Command::new(program("notifications"));
    command
        .env("DATABASE_URL", url)
        .args(["--mail-host", "localhost", "--mail-port", &relay.port.to_string()])
        .args(["--mail-from", "EventPost <events@example.org>", "--mail-security", "none"])
        .args(["--mail-rate", "40"]);
    Service::start_command(command, data)
}

/// How often the relay has accepted a mail to each address.
fn accepted(relay: &Relay) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for mail in relay.accepted() {
        *counts.entry(mail["to"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
#[ignore = "needs PostgreSQL and a mail relay: run scripts/test"]
#[expect(clippy::print_stdout, reason = "how much was proved belongs to the result")]
fn each_mail_is_sent_though_two_of_three_processes_die() {
    let (server, dir) = (Server::start(), temp_dir());
    let relay = Relay::start(dir.path());
    let start = |n: u32| sender(&server.url(), &dir.path().join(n.to_string()), &relay);
    let [first, second, third] = [start(1), start(2), start(3)];
    let mut client = Client::connect(first.address).unwrap();
    for n in 0..MAILS {
        let body = notification(&format!("person{n}@example.org"), 1).to_string();
        assert_eq!(client.send("POST", "/notifications", &body).unwrap().status, 201);
    }
    wait_for("some mails", || (accepted(&relay).len() > MAILS / 5).then_some(()));
    first.kill();
    wait_for("more mails", || (accepted(&relay).len() > 2 * MAILS / 5).then_some(()));
    second.kill();
    let begun = Instant::now();
    while accepted(&relay).len() < MAILS {
        assert!(begun.elapsed() < LONGEST, "only {} were sent", accepted(&relay).len());
        std::thread::sleep(Duration::from_millis(200));
    }
    let twice = accepted(&relay).values().filter(|count| **count > 1).count();
    println!("replicas: {MAILS} mails sent, {twice} of them twice");
    // Each of the two that died may have had four connections to the relay.
    assert!(twice <= 8, "{twice}");
    let sent = wait_for("all to be recorded", || {
        let list = send(third.address, "GET", "/notifications?state=sent&limit=1000", None);
        let sent = list.json().as_array().unwrap().len();
        (sent == MAILS).then_some(sent)
    });
    assert_eq!(sent, MAILS);
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn what_one_process_writes_the_others_read_at_once() {
    let (server, dir) = (Server::start(), temp_dir());
    let [one, two] = ["1", "2"].map(|n| super::start("events", &server.url(), &dir.path().join(n)));
    let made = send(one.address, "POST", "/events", Some(EVENT));
    let path = made.header("location").unwrap();
    for round in 0..20 {
        let body = EVENT.replace("\"t\"", &format!("\"round {round}\""));
        assert_eq!(send(one.address, "PUT", path, Some(&body)).status, 200);
        let read = send(two.address, "GET", path, None);
        assert_eq!(read.json()["title"], format!("round {round}"));
        let list = send(two.address, "GET", "/events", None);
        assert_eq!(list.json()[0]["title"], format!("round {round}"));
        let etag =
            |address| send(address, "GET", "/events", None).header("etag").map(str::to_owned);
        assert_eq!(etag(one.address), etag(two.address));
    }
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn a_backup_under_load_is_restored_into_the_other_engine() {
    let (server, dir) = (Server::start(), temp_dir());
    let service = super::start("events", &server.url(), &dir.path().join("data"));
    let backup = dir.path().join("backup");
    let run = |args: &[&str], data: &str, url: Option<&str>| {
        let mut command = Command::new(program("events"));
        command.args(args).arg("--data").arg(dir.path().join(data));
        command.envs(url.map(|url| ("DATABASE_URL", url)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| crate::harness::post_many(&service, 3000, EVENT));
        wait_for("some events", || (service.metric("eventpost_resources") > 500).then_some(()));
        run(&["backup", backup.to_str().unwrap()], "unused", Some(&server.url()));
        writer.join().unwrap();
    });
    let text = fs::read_to_string(&backup).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let documents: Vec<_> = rows.iter().filter(|row| row["id"].is_string()).collect();
    assert!((500..3000).contains(&documents.len()), "{}", documents.len());
    // Every row of it is one that was written.
    let mut client = Client::connect(service.address).unwrap();
    for document in &documents {
        let id = document["id"].as_str().unwrap();
        let path = format!("/events/{id}");
        assert_eq!(client.send("GET", &path, "").unwrap().json(), **document);
    }
    // Into SQLite, and back into another database.
    run(&["restore", backup.to_str().unwrap()], "sqlite", None);
    let copy = dir.path().join("copy");
    run(&["backup", copy.to_str().unwrap()], "sqlite", None);
    assert_eq!(fs::read_to_string(&copy).unwrap(), text);
    server.sql("CREATE DATABASE other");
    let other = server.url().replace("/postgres", "/other").replace("//other@", "//postgres@");
    run(&["restore", copy.to_str().unwrap()], "unused", Some(&other));
    run(&["backup", copy.to_str().unwrap()], "unused", Some(&other));
    assert_eq!(fs::read_to_string(&copy).unwrap(), text);
}
