//! Services on hosts that want tokens, as they do by default.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{BOTH, ONE};
use crate::harness::EVENT;
use crate::harness::cli::Ran;
use crate::harness::http::{Answer, ask, send};
use crate::harness::region::{Stack, on_host};

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {}\r\n", token.trim())
}

/// Stores an event with a token, and returns the status.
fn post(stack: &Stack, authorization: &str) -> u16 {
    ask(stack.address(0), "POST", "/events", authorization, EVENT).status
}

/// Makes a token and brings it to the services.
fn token(stack: &Stack, name: &str, role: &str) -> String {
    let made = stack.run(&["token", "create", name, "--role", role]).succeeded();
    assert_eq!(made.stdout.lines().count(), 1, "{made:?}");
    assert!(!made.stderr.contains(made.stdout.trim()), "it is on standard output alone");
    stack.run(&["deploy"]).succeeded();
    made.stdout.trim().to_owned()
}

/// Everything on a host in which a token could be found.
fn traces(instance: &str) -> String {
    let look = "docker inspect $(docker ps -aq) $(docker images -q); \
        for c in $(docker ps -aq); do docker logs $c 2>&1; done; \
        cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; \
        cat /var/log/syslog /var/log/auth.log 2>/dev/null; journalctl --no-pager 2>/dev/null; \
        find /var/lib/eventpost /run/eventpost /var/tmp /tmp /home -type f -exec cat {} +";
    on_host(instance, &["sh", "-c", look])
}

/// Without a token, only the public part is open.
fn check_public_part(stack: &Stack) {
    let (events, notifications) = (stack.address(0), stack.address(1));
    assert_eq!(send(events, "GET", "/events", None).json().as_array().unwrap().len(), 8);
    let ready = send(notifications, "GET", "/readyz", None);
    assert_eq!(ready.json(), json!({"status": "ready", "service": "notifications"}));
    for (address, method, path) in [
        (events, "POST", "/events"),
        (events, "GET", "/metrics"),
        (notifications, "GET", "/notifications"),
        (notifications, "POST", "/notifications"),
    ] {
        let answer = send(address, method, path, Some(EVENT));
        assert_eq!(answer.status, 401, "{method} {path}");
        assert!(answer.header("www-authenticate").is_some_and(|it| it.starts_with("Bearer")));
    }
    let id = send(events, "GET", "/events", None).json()[0]["id"].as_str().unwrap().to_owned();
    let page = send(events, "GET", &format!("/show/{id}"), None);
    assert!(page.status == 200 && page.body.contains("data-reminder="), "{page:?}");
    // No mail is sent there.
    assert_eq!(send(notifications, "POST", "/reminders", Some("{}")).status, 409);
}

/// The command has its own token, which it sends through SSH alone.
fn check_command(stack: &Stack) {
    let rows = stack.status();
    assert_eq!((&rows[0]["resources"], &rows[1]["resources"]), (&8.into(), &8.into()));
    let seeded = stack.run(&["seed", "--output", "json"]).succeeded().json();
    assert_eq!((&seeded[0]["present"], &seeded[1]["present"]), (&8.into(), &8.into()));
    let doctor = stack.run(&["doctor"]).succeeded();
    assert!(doctor.stdout.contains("is accepted, with the role admin"), "{doctor:?}");
    let plan = stack.run(&["plan"]);
    assert!(plan.stdout.contains("8 resources carried over"), "{plan:?}");
    let bench = stack.run(&["bench"]);
    assert_eq!(bench.code, Some(2), "{bench:?}");
    assert!(bench.stderr.contains("--from host"), "{bench:?}");
}

/// Without the stack's key, and with a wrong token, the command sees the public part.
fn check_others(stack: &Stack) {
    let elsewhere = |args: &[&str], token: &str| {
        let state = stack.world.path().join("elsewhere");
        let mut command = stack.command(args);
        Ran::of(
            command.env("XDG_STATE_HOME", state).env("EVENTPOST_TOKEN", token).output().unwrap(),
        )
    };
    let public = elsewhere(&["status", "--output", "json"], "").succeeded().json();
    assert_eq!((&public[0]["health"], &public[0]["resources"]), (&json!("healthy"), &json!(null)));
    fs::write(stack.world.path().join("wrong"), "eventpost_wrong").unwrap();
    let wrong = stack.run(&["status", "--token-file", "wrong", "--output", "json"]).json();
    let problem = wrong[0]["problem"].as_str().unwrap();
    assert!(problem.contains("refuses the access token"), "{problem}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn hosts_are_closed_to_those_without_a_token_and_open_to_the_command() {
    let stack = Stack::with_tokens("closed", BOTH);
    let up = stack.run(&["up"]).succeeded();
    assert!(up.stderr.contains("created the access token `operator` (admin)"), "{up:?}");
    assert!(up.stderr.contains("keys/closed.token"), "{up:?}");
    assert!(up.stderr.contains("docs/security.md"), "{up:?}");
    let own = stack.authorization();
    let secret = own.trim_start_matches("Authorization: Bearer ").trim().to_owned();
    assert!(!(up.stdout + &up.stderr).contains(&secret));

    check_public_part(&stack);
    check_command(&stack);
    check_others(&stack);
    for instance in stack.instances() {
        let traces = traces(&instance);
        assert!(traces.contains("ACCESS=tokens") && traces.contains("operator admin"), "{traces}");
        assert!(!traces.contains(&secret), "the token is on {instance}");
    }
    stack.run(&["down", "--yes"]).succeeded();
}

/// Another operator, who has the key and no list of tokens, takes over the list of the hosts.
fn check_second_operator(stack: &Stack) {
    let state = stack.world.path().join("state/eventpost/keys");
    let second = stack.world.path().join("second");
    let keys = second.join("eventpost/keys");
    fs::create_dir_all(&keys).unwrap();
    fs::copy(state.join("grants"), keys.join("grants")).unwrap();
    let other = |args: &[&str]| {
        let mut command = stack.command(args);
        Ran::of(command.env("XDG_STATE_HOME", &second).output().unwrap())
    };
    other(&["deploy"]).succeeded();
    assert_eq!(post(stack, &stack.authorization()), 201);
    let theirs = other(&["token", "create", "second", "--role", "admin"]).succeeded().stdout;
    other(&["deploy"]).succeeded();
    assert_eq!(post(stack, &bearer(&theirs)), 201);
    // The first one has changed nothing since, and takes that over; then both do.
    stack.run(&["deploy"]).succeeded();
    let list = stack.run(&["token", "list"]).succeeded().stdout;
    assert!(list.contains("second"), "{list}");
    stack.run(&["token", "revoke", "second"]).succeeded();
    other(&["token", "create", "third", "--role", "read"]).succeeded();
    stack.run(&["deploy"]).succeeded();
    let conflict = other(&["deploy"]);
    assert_eq!(conflict.code, Some(1), "{conflict:?}");
    assert!(conflict.stderr.contains("has a different list of tokens"), "{conflict:?}");
    assert_eq!(post(stack, &bearer(&theirs)), 401);
}

/// New hosts accept what the old ones did, with and without their data, though the files of this
/// machine are older.
fn check_new_hosts(stack: &Stack, older: &[(PathBuf, Vec<u8>)], reader: &str, ci: &str) {
    let reader_sees =
        |stack: &Stack| ask(stack.address(0), "GET", "/openapi.json", &bearer(reader), "").status;
    for up in [&["up", "--yes"][..], &["up", "--fresh", "--yes"]] {
        for (file, list) in older {
            fs::write(file, list).unwrap();
        }
        let before = stack.instance(0);
        let up = stack.run(up).succeeded();
        assert!(up.stderr.contains("removed: `ci` (write)"), "{up:?}");
        assert_ne!(stack.instance(0), before);
        assert_eq!((reader_sees(stack), post(stack, ci)), (200, 401));
    }
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn tokens_are_added_and_revoked_without_a_restart() {
    let stack = Stack::with_tokens("grants", ONE);
    stack.run(&["up"]).succeeded();
    let instance = stack.instance(0);
    let started = || {
        on_host(
            &instance,
            &["docker", "inspect", "--format", "{{.State.StartedAt}}", "eventpost-events"],
        )
    };
    let before = started();
    let ci = bearer(&token(&stack, "ci", "write"));
    let metrics = |authorization: &str| -> Answer {
        ask(stack.address(0), "GET", "/metrics", authorization, "")
    };
    assert_eq!((post(&stack, &ci), metrics(&ci).status), (201, 403));
    assert_eq!(metrics(&stack.authorization()).status, 200);
    let reader = token(&stack, "reader", "read");
    assert_eq!(post(&stack, &bearer(&reader)), 403);
    let list = stack.run(&["token", "list", "--output", "json"]).succeeded().json();
    let names: Vec<_> = list.as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["operator", "ci", "reader"]);
    assert_eq!(started(), before, "nothing was restarted");

    // A new program, the token revoked, and back to the program of before.
    stack.world.change_program("events");
    stack.run(&["deploy"]).succeeded();
    assert_eq!(post(&stack, &ci), 201);
    let state = stack.world.path().join("state/eventpost/keys");
    let older = ["grants.tokens", "grants.tokens-deployed"]
        .map(|file| (state.join(file), fs::read(state.join(file)).unwrap()));
    stack.run(&["token", "revoke", "ci"]).succeeded();
    stack.run(&["deploy"]).succeeded();
    assert_eq!(post(&stack, &ci), 401);
    stack.run(&["rollback"]).succeeded();
    assert_eq!(post(&stack, &ci), 401, "going back brings back no token");

    check_second_operator(&stack);
    check_new_hosts(&stack, &older, &reader, &ci);
    stack.run(&["down", "--yes"]).succeeded();
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_load_from_the_host_has_a_token_and_leaves_none_there() {
    let stack = Stack::with_tokens("armed", ONE);
    let event = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/services/event.json");
    fs::copy(event, stack.world.path().join("event.json")).unwrap();
    let script = "execution:\n- {scenario: all, concurrency: 2, iterations: 5}\nscenarios:\n  all:\n    \
        default-address: http://127.0.0.1:1\n    requests:\n    - {url: /events, method: POST, body-file: event.json}\n    - {url: /events}\n";
    fs::write(stack.world.path().join("load.yml"), script).unwrap();
    stack.run(&["up"]).succeeded();
    stack.world.add_load_test_program();
    let bench = stack.run(&["bench", "load.yml", "--from", "host", "--output", "json"]);
    let result = bench.succeeded().json();
    assert_eq!(result["executions"][0]["errors"], 0, "{result}");
    let own = stack.authorization();
    let secret = own.trim_start_matches("Authorization: Bearer ").trim();
    assert!(!result.to_string().contains(secret));
    assert!(!traces(&stack.instance(0)).contains(secret));
    stack.run(&["down", "--yes"]).succeeded();
}
