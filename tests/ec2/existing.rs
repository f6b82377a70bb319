//! Stacks on existing hosts, which are instances of another stack here.

use std::path::PathBuf;

use super::ONE;
use crate::harness::cli::Ran;
use crate::harness::region::{Stack, on_host};

/// A host that another stack launched.
struct Existing {
    stack: Stack,
    id: String,
    address: String,
    home: PathBuf,
}

impl Existing {
    fn launch(name: &str) -> Self {
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
    assert_eq!(host.plan(&["plan"]), (Some(0), kept));

    on_host(&host.id, &["docker", "rm", "-f", "eventpost-events"]);
    assert_eq!(host.plan(&["plan"]), (Some(2), operation("create", "there is no container")));
    let refused = host.run(&["deploy"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("has no container on"), "{refused:?}");
    let rows = host.run(&["up", "--output", "json"]).succeeded().json();
    assert_eq!(rows[0]["outcome"], "created", "{rows}");
}
