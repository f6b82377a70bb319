//! The life of a stack on this machine: started, kept, restarted, stopped.

use super::{fixtures, resources};
use crate::harness::cli::World;
use crate::harness::{Signal, signal, wait_for};

#[test]
fn a_stack_goes_up_is_seeded_once_and_goes_down_with_its_data_kept() {
    let world = World::new();
    let up = world.up().succeeded();
    world.assert_shown("local", "up", &up);
    assert_eq!(resources(&world, "events").len(), fixtures("events"));
    assert_eq!(resources(&world, "notifications").len(), fixtures("notifications"));

    world.assert_shown("local", "up-again", &world.up().succeeded());
    assert_eq!(resources(&world, "events").len(), fixtures("events"));

    let status = world.run(&["status", "--local", "--output", "json"]).succeeded().json();
    for row in status.as_array().unwrap() {
        assert_eq!(row["state"], "healthy");
        assert_eq!(row["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(row["resources"], fixtures(row["service"].as_str().unwrap()));
        let holder = world.holder(row["service"].as_str().unwrap()).unwrap();
        assert_eq!(row["pid"], holder.pid);
    }

    world.run(&["down", "--local"]).succeeded();
    assert_eq!((world.holder("events"), world.holder("notifications")), (None, None));
    world.assert_shown("local", "status-stopped", &world.run(&["status", "--local"]));

    world.run(&["up", "--local", "--no-seed", "--port-base", &world.port.to_string()]).succeeded();
    assert_eq!(resources(&world, "events").len(), fixtures("events"), "data must outlive `down`");
}

#[test]
fn output_has_no_colours_where_it_is_piped() {
    let world = World::new();
    let up = world.up().succeeded();
    assert!(!up.stdout.contains('\u{1b}') && !up.stderr.contains('\u{1b}'), "{up:?}");
    let port = world.port.to_string();
    let json = world.run(&["up", "--local", "--output", "json", "--port-base", &port]).succeeded();
    assert_eq!(json.json()[0]["outcome"], "kept");
}

#[test]
fn a_changed_program_is_restarted_and_its_data_stay() {
    let world = World::new();
    world.up().succeeded();
    let before = world.holder("events").unwrap();
    let untouched = world.holder("notifications").unwrap();
    world.change_program("events");
    let up = world.up().succeeded();
    world.assert_shown("local", "up-changed-program", &up);
    assert_ne!(world.holder("events").unwrap().pid, before.pid);
    assert_eq!(world.holder("notifications").unwrap(), untouched);
    assert_eq!(resources(&world, "events").len(), fixtures("events"));
}

#[test]
fn services_move_to_other_ports_even_to_each_other_s() {
    let world = World::new();
    world.up().succeeded();
    let wanted = world.port + 1;
    world.run(&["up", "--local", "--port-base", &wanted.to_string()]).succeeded();
    assert_eq!(world.holder("events").unwrap().address.port(), wanted);
    assert_eq!(world.holder("notifications").unwrap().address.port(), wanted + 1);
    assert_eq!(resources(&world, "events").len(), fixtures("events"));
}

#[test]
fn a_changed_environment_restarts_its_service() {
    let world = World::new();
    world.up().succeeded();
    world.describe(
        "stack: test\nservices:\n  events: {build: events, fixtures: events.yml, env: {A: 1}}\n  \
         notifications: {build: notifications, fixtures: notifications.yml}\n",
    );
    let up = world.up().succeeded();
    world.assert_shown("local", "up-changed-environment", &up);
}

#[test]
fn a_plan_says_what_up_would_do_and_does_nothing() {
    let world = World::new();
    let port = world.port.to_string();
    let plan = |name: &str, output: &str| {
        let args = ["plan", "--local", "--port-base", &port, "--output", output];
        world.assert_shown("local", name, &world.run(&args));
    };
    plan("plan-start", "text");
    plan("plan-start-json", "json");
    assert!(world.holder("events").is_none());
    world.up().succeeded();
    plan("plan-keep", "text");
    let pid = world.holder("events").unwrap().pid;
    world.change_program("events");
    let ran = world.run(&["up", "--local", "--dry-run", "--port-base", &port]);
    world.assert_shown("local", "plan-changed-program", &ran);
    assert_eq!(world.holder("events").unwrap().pid, pid);
}

#[test]
fn two_commands_do_not_change_a_stack_at_the_same_time() {
    let world = World::new();
    world.replace_program("notifications", "#!/bin/sh\nexec sleep 600\n");
    let first = world.begin_up();
    wait_for("events to run", || world.holder("events"));
    for args in [&["up", "--local"][..], &["down", "--local"]] {
        let name = format!("{}-while-another-changes", args[0]);
        world.assert_shown("local", &name, &world.run(args));
    }
    signal(first.id(), Signal::TERM);
    first.wait_with_output().unwrap();
}

#[test]
fn purging_asks_and_without_an_answer_touches_nothing() {
    let world = World::new();
    world.up().succeeded();
    let down = world.run(&["down", "--local", "--purge"]);
    world.assert_shown("local", "purge-without-an-answer", &down);
    assert!(world.holder("events").is_some(), "nothing may be stopped before the answer");
    world.run(&["down", "--local", "--purge", "--yes"]).succeeded();
    assert!(!world.data("events").exists());
    world.run(&["down", "--local"]).succeeded();
}
