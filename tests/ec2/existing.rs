//! Stacks on existing hosts, which are instances of another stack here.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::{BOTH, ONE};
use crate::harness::EVENT;
use crate::harness::cli::Ran;
use crate::harness::http::send;
use crate::harness::region::{Stack, on_host};

/// A host that another stack launched.
pub(super) struct Existing {
    pub(super) stack: Stack,
    pub(super) id: String,
    pub(super) address: String,
    pub(super) home: PathBuf,
}

impl Existing {
    pub(super) fn launch(name: &str) -> Self {
        let stack = Stack::new(name, ONE);
        stack.run(&["up"]).succeeded();
        let row = stack.status().remove(0);
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        let (id, address) = (text("instance"), text("address"));
        let home = stack.world.path().join("home");
        let existing = Self { stack, id, address, home };
        existing.describe("access: open", ONE);
        existing
    }

    fn describe(&self, settings: &str, services: &str) {
        let key = self.stack.world.path().join("state/eventpost/keys").join(&self.stack.name);
        self.stack.world.describe(&format!(
            "stack: other\n{settings}\nssh: {{key: {}}}\nservices:\n{services}",
            key.display()
        ));
    }

    fn run(&self, args: &[&str]) -> Ran {
        let host = format!("events={}", self.address);
        let mut command = self.stack.world.command(&[args, &["--hosts", &host]].concat());
        Ran::of(command.env("HOME", &self.home).output().unwrap())
    }

    /// The exit code of a plan, and each operation's action and reason.
    fn plan(&self, command: &[&str]) -> (Option<i32>, Vec<(String, String)>) {
        let ran = self.run(&[command, &["--output", "json"]].concat());
        let plan = ran.json();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let operations = plan["operations"].as_array().unwrap().iter();
        let operations = operations.map(|it| (text(&it["action"]), text(&it["reason"])));
        (ran.code, operations.collect())
    }

    /// Asserts that commands fail for one reason.
    fn assert_refused(&self, commands: &[&[&str]], problem: &str) {
        for command in commands {
            let ran = self.run(command);
            assert_eq!(ran.code, Some(1), "{command:?}: {ran:?}");
            assert!(ran.stderr.contains(problem), "{command:?}: {ran:?}");
        }
    }

    fn service(&self) -> SocketAddr {
        format!("{}:80", self.address).parse().unwrap()
    }

    fn container(&self) -> String {
        on_host(&self.id, &["docker", "inspect", "--format", "{{.Id}}", "eventpost-events"])
    }
}

fn operation(action: &str, reason: &str) -> Vec<(String, String)> {
    vec![(action.into(), reason.into())]
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn existing_hosts_are_deployed_to_and_unknown_ones_refused() {
    let host = Existing::launch("hosts");
    let refused = host.run(&["up"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("nothing was sent to it"), "{refused:?}");

    host.stack.home_that_knows(&host.id, &host.address);
    let before = host.container();
    host.run(&["up"]).succeeded();
    assert_eq!(host.container(), before, "a container that runs as wanted must be left alone");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_plan_compares_existing_hosts_and_up_executes_it() {
    let host = Existing::launch("compared");
    host.stack.home_that_knows(&host.id, &host.address);
    host.run(&["up"]).succeeded();
    let kept = operation("keep", "it runs as described");
    assert_eq!(host.plan(&["plan"]), (Some(0), kept.clone()));
    assert_eq!(host.plan(&["deploy", "--dry-run"]), (Some(0), kept.clone()));

    let changed = ONE.replace("events.yml}", "events.yml, env: {PAGE_SIZE: 7}}");
    assert_ne!(changed, ONE);
    host.describe("access: open", &changed);
    let before = host.container();
    let updated = operation("update", "its settings changed");
    assert_eq!(host.plan(&["plan"]), (Some(2), updated.clone()));
    assert_eq!(host.plan(&["deploy", "--dry-run"]), (Some(2), updated));
    assert_eq!(host.container(), before, "a plan changes nothing");
    let rows = host.run(&["up", "--output", "json"]).succeeded().json();
    assert_eq!(rows[0]["outcome"], "updated", "{rows}");
    assert_eq!(host.plan(&["plan"]), (Some(0), kept.clone()));

    // A fixture that somebody has deleted is added again by `up`, and not by `deploy`.
    let address = host.service();
    let id = send(address, "GET", "/events", None).json()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(send(address, "DELETE", &format!("/events/{id}"), None).status, 200);
    let both = [kept.clone(), operation("seed", "missing fixtures are added")].concat();
    assert_eq!(host.plan(&["plan"]), (Some(2), both));
    assert_eq!(host.plan(&["plan", "--no-seed"]), (Some(0), kept.clone()));
    assert_eq!(host.plan(&["deploy", "--dry-run"]), (Some(0), kept.clone()));
    host.run(&["up"]).succeeded();
    assert_eq!(host.plan(&["plan"]), (Some(0), kept));
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_container_that_is_gone_is_created_with_the_data_of_its_volume() {
    let host = Existing::launch("gone");
    host.stack.home_that_knows(&host.id, &host.address);
    host.run(&["up"]).succeeded();
    assert_eq!(send(host.service(), "POST", "/events", Some(EVENT)).status, 201);
    for command in ["deploy", "up"] {
        on_host(&host.id, &["docker", "rm", "-f", "eventpost-events"]);
        let created = operation("create", "there is no container");
        assert_eq!(host.plan(&[command, "--dry-run"]).1[..1], created);
        let rows = host.run(&[command, "--output", "json"]).succeeded().json();
        assert_eq!(rows[0]["outcome"], "created", "{rows}");
        let events = send(host.service(), "GET", "/events", None).json();
        assert_eq!(events.as_array().unwrap().len(), 9);
    }
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_docker_that_does_not_answer_is_left_as_it_is() {
    let host = Existing::launch("silent");
    host.stack.home_that_knows(&host.id, &host.address);
    let before = host.container();
    on_host(&host.id, &["systemctl", "stop", "docker.socket", "docker"]);
    let commands = [&["plan"][..], &["up"], &["deploy", "--dry-run"], &["deploy"]];
    host.assert_refused(&commands, "Docker is installed but does not answer (");
    let status = host.run(&["status", "--output", "json"]);
    let row = status.json()[0].clone();
    assert_eq!((status.code, row["container"].as_str()), (Some(3), Some("unknown")), "{row}");
    let problem = row["problem"].as_str().unwrap();
    let (health, docker) = problem.split_once("; ").unwrap();
    assert!(health.contains("/readyz: "), "{problem}");
    assert!(docker.contains("Cannot connect to the Docker daemon"), "{problem}");
    on_host(&host.id, &["systemctl", "start", "docker"]);
    assert_eq!(host.container(), before);
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_plan_counts_the_token_that_up_creates() {
    let host = Existing::launch("counted");
    host.stack.home_that_knows(&host.id, &host.address);
    host.describe("access: tokens", ONE);
    host.run(&["up"]).succeeded();
    let kept = operation("keep", "it runs as described");
    assert_eq!(host.plan(&["plan"]), (Some(0), kept.clone()));

    // Another operator has no token, and `up` creates one. `deploy` creates none.
    let elsewhere = |args: &[&str]| host.plan(&[args, &["--state-dir", "elsewhere"]].concat());
    let tokens = operation("update", "the list of tokens changed");
    assert_eq!(elsewhere(&["plan"]), (Some(2), tokens.clone()));
    assert_eq!(elsewhere(&["deploy", "--dry-run"]), (Some(0), kept.clone()));
    assert!(!host.stack.world.path().join("elsewhere").exists(), "a plan creates nothing");
    host.run(&["up", "--state-dir", "elsewhere"]).succeeded();
    assert_eq!(elsewhere(&["plan"]), (Some(0), kept.clone()));
    assert_eq!(host.plan(&["plan"]), (Some(0), kept.clone()));

    // A revoked token is replaced by both.
    host.run(&["deploy"]).succeeded();
    host.stack.world.run(&["token", "revoke", "operator"]).succeeded();
    assert_eq!(host.plan(&["plan"]), (Some(2), tokens.clone()));
    assert_eq!(host.plan(&["deploy", "--dry-run"]), (Some(2), tokens));
    host.run(&["deploy"]).succeeded();
    assert_eq!(host.plan(&["deploy", "--dry-run"]), (Some(0), kept));
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_list_of_known_hosts_is_read_to_its_end_and_revokes_keys() {
    let host = Existing::launch("known");
    host.stack.home_that_knows(&host.id, &host.address);
    let file = host.stack.world.path().join("home/.ssh/known_hosts");
    let known = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("a broken line\n@cert-authority * ssh-ed25519 AAAA\n{known}"))
        .unwrap();
    assert_eq!(host.plan(&["plan"]).0, Some(0));
    let key = known.split_once(' ').unwrap().1;
    fs::write(&file, format!("{known}\n@revoked * {key}")).unwrap();
    host.assert_refused(&[&["plan"], &["up"]], "that known_hosts marks as @revoked");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_rollback_leaves_a_container_alone_that_up_created() {
    let stack = Stack::new("mixed", BOTH);
    stack.run(&["up"]).succeeded();
    let rows = stack.status();
    let text = |row: usize, field: &str| rows[row][field].as_str().unwrap().to_owned();
    let known = [0, 1].map(|row| {
        stack.home_that_knows(&text(row, "instance"), &text(row, "address"));
        fs::read_to_string(stack.world.path().join("home/.ssh/known_hosts")).unwrap()
    });
    fs::write(stack.world.path().join("home/.ssh/known_hosts"), known.concat()).unwrap();
    let hosts = format!("events={},notifications={}", text(0, "address"), text(1, "address"));
    let run = |args: &[&str]| {
        let mut command = stack.world.command(&[args, &["--hosts", &hosts]].concat());
        command.env("HOME", stack.world.path().join("home"));
        Ran::of(command.output().unwrap()).succeeded().json()
    };
    on_host(&text(1, "instance"), &["docker", "rm", "-f", "eventpost-notifications"]);
    stack.describe(&BOTH.replace("events.yml\n", "events.yml\n    env: {PAGE_SIZE: 7}\n"));
    let outcomes = |rows: &serde_json::Value| {
        let outcome = |name| {
            let row = rows.as_array().unwrap().iter().find(|row| row["service"] == name);
            row.unwrap()["outcome"].as_str().unwrap().to_owned()
        };
        [outcome("events"), outcome("notifications")]
    };
    assert_eq!(outcomes(&run(&["up", "--output", "json"])), ["updated", "created"]);
    assert_eq!(outcomes(&run(&["rollback", "--output", "json"])), ["rolled back", "kept"]);
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_service_with_a_domain_answers_https_and_keeps_its_plain_port_to_itself() {
    let host = Existing::launch("named");
    host.stack.home_that_knows(&host.id, &host.address);
    let file = |name: &str| host.stack.world.path().join(name);
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "9", "-subj", "/CN=events.test"])
        .args(["-addext", "subjectAltName=DNS:events.test"])
        .args(["-addext", "basicConstraints=CA:FALSE"])
        .arg("-keyout")
        .arg(file("key.pem"))
        .arg("-out")
        .arg(file("chain.pem"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let certificate = "certificate: {chain_file: chain.pem, key_file: key.pem}";
    let named =
        ONE.replace("events.yml}", &format!("events.yml, domain: events.test, {certificate}}}"));
    assert_ne!(named, ONE);
    host.describe("access: tokens", &named);
    let rows = host.run(&["up", "--output", "json"]).succeeded().json();
    assert_eq!(rows[0]["url"], "https://events.test/events", "{rows}");

    let redirected = send(host.service(), "GET", "/events", None);
    assert_eq!(redirected.status, 308, "{redirected:?}");
    assert_eq!(redirected.header("location"), Some("https://events.test/events"));
    let published = on_host(&host.id, &["docker", "port", "eventpost-events"]);
    for port in ["8443/tcp -> 0.0.0.0:443", "8081/tcp -> 0.0.0.0:80", "8080/tcp -> 127.0.0.1:8080"]
    {
        assert!(published.contains(port), "{port}: {published}");
    }
    // The whole of it, on the host's own loopback, with the certificate that was sent.
    let answer = on_host(
        &host.id,
        &[
            "sh",
            "-c",
            "printf 'GET /healthz HTTP/1.0\\r\\nHost: events.test\\r\\n\\r\\n' | \
            openssl s_client -quiet -connect 127.0.0.1:443 -servername events.test 2>&1",
        ],
    );
    assert!(answer.contains("CN = events.test") && answer.contains("200 OK"), "{answer}");
    let inspected = on_host(&host.id, &["docker", "inspect", "eventpost-events"]);
    assert!(!inspected.contains("PRIVATE KEY"), "{inspected}");
    let status = host.run(&["status", "--output", "json"]);
    let row = status.json()[0].clone();
    assert_eq!((status.code, &row["health"]), (Some(0), &"healthy".into()), "{row}");
    assert!(row["certificate_expires"].as_str().unwrap().starts_with("20"), "{row}");
    assert_eq!(host.plan(&["plan"]), (Some(0), operation("keep", "it runs as described")));

    let on_ec2 = host.stack.run(&["plan"]);
    assert_eq!(on_ec2.code, Some(2), "{on_ec2:?}");
    assert!(on_ec2.stderr.contains("hosts on EC2 get another address"), "{on_ec2:?}");
}
