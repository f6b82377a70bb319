//! Hosts that are replaced by new ones, which get their data.

use std::io::Read;
use std::net::SocketAddr;
use std::thread;

use super::interrupts::wait_for_step;
use super::{BOTH, ONE};
use crate::harness::EVENT;
use crate::harness::http::{Client, send};
use crate::harness::region::{Stack, on_host};
use crate::harness::{Signal, signal, wait_for};

/// What became of the requests that a client sent until its server was gone.
#[derive(Default)]
struct Sent {
    /// Where what was made is.
    made: Vec<String>,
    refused: usize,
}

/// Makes events until the server is gone. Each answer is one of two: it was made, or it
/// was not and may be tried again. What it has is to be read all the time.
fn make_until_gone(server: SocketAddr) -> Sent {
    let mut sent = Sent::default();
    let Ok(mut client) = Client::connect(server) else { return sent };
    while let Ok(answer) = client.send("POST", "/events", EVENT) {
        match answer.status {
            201 => sent.made.push(answer.header("location").unwrap().to_owned()),
            503 => {
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
                sent.refused += 1;
            }
            other => panic!("{other}: {answer:?}"),
        }
        match client.send("GET", "/events?limit=1", "") {
            Ok(read) => assert_eq!(read.status, 200, "{read:?}"),
            Err(_) => break,
        }
    }
    sent
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn data_are_carried_over_under_a_load_and_no_answered_write_is_lost() {
    let stack = Stack::new("replace", BOTH);
    stack.run(&["up"]).succeeded();
    let (old, before, first) = (stack.address(0), stack.resources(0), stack.instances());
    // What was deleted is not seeded again.
    let list = send(stack.address(1), "GET", "/notifications", None).json();
    let id = list[0]["id"].as_str().unwrap();
    let path = format!("/notifications/{id}");
    assert_eq!(send(stack.address(1), "DELETE", &path, None).status, 200);

    let clients: Vec<_> = (0..4).map(|_| thread::spawn(move || make_until_gone(old))).collect();
    let rows = stack.run(&["up", "--output", "json"]).succeeded().json();
    let sent: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let steps: Vec<_> = rows[0]["steps"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(steps, ["launch", "SSH", "Docker and image", "container", "data"]);

    let (new, second) = (stack.address(0), stack.instances());
    assert!(second.len() == 2 && second.iter().all(|id| !first.contains(id)), "{second:?}");
    let made: Vec<_> = sent.iter().flat_map(|sent| &sent.made).collect();
    let refused: usize = sent.iter().map(|sent| sent.refused).sum();
    assert!(made.len() > 100 && refused > 0, "{} made, {refused} refused", made.len());
    let mut client = Client::connect(new).unwrap();
    for path in &made {
        assert_eq!(client.send("GET", path, "").unwrap().status, 200, "{path} is lost");
    }
    // One of each client may have been made and its answer not have arrived.
    let (now, answered) = (stack.resources(0), before + made.len() as u64);
    assert!((answered..=answered + 4).contains(&now), "{now} of {answered}");
    assert_eq!(send(new, "POST", "/events", Some(EVENT)).status, 201, "writes are taken again");
    assert_eq!(stack.resources(1), 7);
    for instance in second {
        let left = on_host(&instance, &["sh", "-c", "ls -A /var/lib/eventpost/copies"]);
        assert_eq!(left, "", "copies that nobody needs");
    }
    stack.run(&["down", "--yes"]).succeeded();
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_replacement_that_is_cut_off_loses_no_write() {
    let stack = Stack::new("replace-cut", ONE);
    stack.run(&["up"]).succeeded();
    let (old, first) = (stack.address(0), stack.instances());
    let write = || send(old, "POST", "/events", Some(EVENT)).status;

    let mut up = stack.begin(&["up"]);
    let mut rest = wait_for_step(&mut up, "copying its data");
    signal(up.id(), Signal::INT);
    let mut text = String::new();
    rest.read_to_string(&mut text).unwrap();
    assert_eq!(up.wait().unwrap().code(), Some(130), "{text}");
    assert!(text.contains("Kept: "), "{text}");
    assert_eq!(write(), 201);

    // Nobody is left who could say that writes are taken again.
    let mut up = stack.begin(&["up"]);
    let rest = wait_for_step(&mut up, "copying its data");
    signal(up.id(), Signal::KILL);
    up.wait().unwrap();
    drop(rest);
    assert_eq!(write(), 503);
    let until = on_host(&first[0], &["sh", "-c", "cat /var/lib/docker/volumes/*/_data/read-only"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let left = until.trim().parse::<u128>().unwrap() - now.as_millis();
    assert!((1..=300_000).contains(&left), "it ends by itself, in {left} ms");

    // The next one goes on with the host that was launched, and carries what is new, too.
    let held = stack.status().into_iter().find(|row| row["instance"] == first[0].as_str());
    let held = held.unwrap()["resources"].as_u64().unwrap();
    stack.run(&["unlock", "--yes"]).succeeded();
    stack.run(&["up"]).succeeded();
    assert_eq!(stack.instances().len(), 1);
    assert_ne!(stack.instances(), first);
    assert_eq!(stack.resources(0), held);
    assert_eq!(stack.run(&["status"]).code, Some(0));
    stack.run(&["down", "--yes"]).succeeded();
}

/// A plan refuses what `up` refuses.
fn assert_not_carried_over(stack: &Stack, args: &[&str]) {
    let failed = stack.run(args);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("cannot be carried over"), "{failed:?}");
    assert!(failed.stderr.contains("--fresh"), "{failed:?}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn data_that_cannot_be_carried_over_stop_up_before_it_launches() {
    let stack = Stack::new("replace-not", ONE);
    stack.run(&["up"]).succeeded();
    let first = stack.instances();
    // Without the key that logs in, nothing can be copied either.
    let elsewhere = stack.world.path().join("elsewhere");
    let elsewhere = ["--state-dir", elsewhere.to_str().unwrap()];
    assert_not_carried_over(&stack, &[&["plan"], &elsewhere[..]].concat());
    assert_not_carried_over(&stack, &[&["up"], &elsewhere[..]].concat());
    assert!(!stack.world.path().join("elsewhere/keys").exists());

    on_host(&first[0], &["docker", "rm", "-f", "eventpost-events"]);
    assert_not_carried_over(&stack, &["plan"]);
    assert_not_carried_over(&stack, &["up"]);
    assert_eq!(stack.instances(), first);
    let refused = stack.run(&["up", "--terminate-first"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--fresh"), "{refused:?}");
    stack.run(&["up", "--fresh", "--yes"]).succeeded();
    assert_eq!(stack.resources(0), 8);
    stack.run(&["down", "--yes"]).succeeded();
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn hosts_end_themselves_when_their_time_is_over() {
    let stack = Stack::new("ttl", ONE);
    let refused = stack.run(&["up", "--ttl", "5s"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("from 1 m 0 s to 366 d 0 h"), "{refused:?}");
    stack.run(&["up", "--ttl", "2m"]).succeeded();
    let row = stack.status().remove(0);
    let number = |key: &str| row[key].as_f64().unwrap();
    assert!((1.0..120.0).contains(&number("left_seconds")), "{row}");
    let whole = (number("left_seconds") + number("age_seconds")) * 0.1906 / 3600.0;
    assert!((number("spent") + number("to_spend") - whole).abs() < 1e-6, "{row}");
    let printed = stack.run(&["status"]).stdout;
    assert!(printed.contains("EXPIRES IN") && printed.contains(" USD"), "{printed}");
    for seconds in [80, 40, 5] {
        wait_for("its time to be over", || {
            let left = stack.status()[0]["left_seconds"].as_u64();
            left.is_none_or(|left| left < seconds).then_some(())
        });
    }
    wait_for("the host to end itself", || stack.instances().is_empty().then_some(()));
}
