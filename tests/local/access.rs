//! `eventpost up --local` with `access: tokens`, and the commands that then need a token.

use std::fs;

use crate::harness::EVENT;
use crate::harness::cli::{Ran, World};
use crate::harness::http::{ask, send};

const TOKENS: &str = "stack: test\naccess: tokens\nservices:\n  \
    events: {build: events, fixtures: events.yml}\n  \
    notifications: {build: notifications, fixtures: notifications.yml}\n";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {}\r\n", token.trim())
}

#[test]
fn local_services_with_tokens_are_used_by_the_command_and_no_one_else() {
    let world = World::new();
    world.describe(TOKENS);
    let plan = world.run(&["plan", "--local", "--port-base", &world.port.to_string()]);
    assert_eq!(plan.code, Some(2), "a plan needs no token list yet: {plan:?}");
    let up = world.up().succeeded();
    world.assert_shown("local", "up-with-tokens", &up);
    let own = fs::read_to_string(world.path().join("state/eventpost/keys/test.token")).unwrap();
    assert!(!(up.stdout + &up.stderr).contains(own.trim()));

    let address = || world.holder("notifications").unwrap().address;
    assert_eq!(send(address(), "GET", "/notifications", None).status, 401);
    assert_eq!(ask(address(), "GET", "/notifications", &bearer(&own), "").status, 200);
    let status = world.run(&["status", "--local", "--output", "json"]).succeeded().json();
    assert_eq!(status[1]["resources"], 8);
    let seeded = world.run(&["seed", "--local", "--output", "json"]).succeeded().json();
    assert_eq!((&seeded[0]["present"], &seeded[0]["added"]), (&8.into(), &0.into()));
    world.run(&["doctor", "--local"]).succeeded();
    let quick = [
        "-o",
        "execution.0.hold-for=1s",
        "-o",
        "execution.1.hold-for=1s",
        "-o",
        "execution.2.hold-for=1s",
        "-o",
        "execution.3.hold-for=1s",
    ];
    let bench = world.run(&[&["bench", "--local", "--output", "json"][..], &quick].concat());
    for execution in bench.succeeded().json()["executions"].as_array().unwrap() {
        assert_eq!(execution["errors"], 0, "{execution}");
    }

    // A token for somebody else, until it is revoked.
    let made = world.run(&["token", "create", "reader", "--role", "read", "--expires", "1d"]);
    let reader = made.succeeded().stdout;
    assert_eq!(ask(address(), "GET", "/notifications", &bearer(&reader), "").status, 401);
    world.up().succeeded();
    assert_eq!(ask(address(), "GET", "/notifications", &bearer(&reader), "").status, 200);
    assert_eq!(ask(address(), "POST", "/notifications", &bearer(&reader), EVENT).status, 403);
    world.run(&["token", "revoke", "reader"]).succeeded();
    world.up().succeeded();
    assert_eq!(ask(address(), "GET", "/notifications", &bearer(&reader), "").status, 401);
    let unknown = world.run(&["token", "revoke", "reader"]);
    world.assert_shown("local", "revoke-an-unknown-token", &unknown);
}

#[test]
fn a_plan_counts_the_token_that_up_creates() {
    let world = World::new();
    world.describe(TOKENS);
    let plan =
        || world.run(&["plan", "--local", "--port-base", &world.port.to_string()]).code.unwrap();
    world.up().succeeded();
    assert_eq!(plan(), 0);
    fs::remove_file(world.path().join("state/eventpost/keys/test.token")).unwrap();
    assert_eq!(plan(), 2);
    world.up().succeeded();
    assert_eq!(plan(), 0);
}

#[test]
fn a_given_token_is_sent_within_this_machine_and_named_where_it_is_wrong() {
    let world = World::new();
    world.describe(TOKENS);
    let with = |args: &[&str], token: &str| {
        Ran::of(world.command(args).env("EVENTPOST_TOKEN", token).output().unwrap())
    };
    // The first token is the one that is given, as from a store of CI's secrets.
    let given = format!("eventpost_{}", "0f".repeat(32));
    let up = ["up", "--local", "--port-base", &world.port.to_string()].map(str::to_owned);
    let up: Vec<_> = up.iter().map(String::as_str).collect();
    let weak = with(&up, "hunter2");
    world.assert_shown("local", "weak-first-token", &weak);
    with(&up, &given).succeeded();
    let url = format!("notifications=http://127.0.0.1:{}", world.port + 1);
    let seed = ["seed", "--url", &url];
    with(&seed, &given).succeeded();
    for (token, name) in [("eventpost_wrong", "unknown-token"), ("two words", "no-token")] {
        let refused = with(&seed, token);
        world.assert_shown("local", name, &refused);
        assert!(!refused.stderr.contains(token), "a token is not printed: {refused:?}");
    }
    world.assert_shown("local", "seed-without-a-token", &world.run(&seed));
}

#[test]
fn local_services_are_open_unless_the_file_says_otherwise_and_never_send_mails_for_all_on_hosts() {
    let world = World::new();
    world.up().succeeded();
    let address = world.holder("events").unwrap().address;
    assert_eq!(send(address, "POST", "/events", Some(EVENT)).status, 201);
    assert!(!world.path().join("state/eventpost/keys").exists(), "no token is needed");

    world.describe(
        "stack: test\naccess: open\nservices:\n  notifications:\n    build: notifications\n    \
         mail: {host: relay.example.org, from: a@example.org}\n",
    );
    for command in ["up", "plan", "deploy"] {
        let refused = world.run(&[command, "--hosts", "notifications=127.0.0.99"]);
        world.assert_shown("local", "open-access-with-mail-on-hosts", &refused);
    }
}
