//! What fails while a stack starts, and what is left then.

use std::net::TcpListener;

use super::{fixtures, resources};
use crate::harness::cli::{Ran, World};
use crate::harness::{Signal, signal, wait_for};

#[test]
fn a_port_in_use_is_named_and_nothing_is_started() {
    let world = World::new();
    let _taken = TcpListener::bind(("127.0.0.1", world.port + 1)).unwrap();
    let up = world.up();
    world.assert_shown("local", "port-in-use", &up);
    assert_eq!(world.holder("events"), None, "nothing may be half done");
}

#[test]
fn a_service_that_dies_at_its_start_shows_its_last_lines_and_takes_the_other_with_it() {
    let world = World::new();
    world.replace_program("notifications", "#!/bin/sh\necho no license found >&2\nexit 7\n");
    let up = world.up();
    world.assert_shown("local", "service-ends-at-its-start", &up);
    assert_eq!(world.holder("events"), None, "what this run started must be stopped again");
}

#[test]
fn a_failing_service_leaves_one_that_ran_before_alone() {
    let world = World::new();
    world.up().succeeded();
    let events = world.holder("events").unwrap();
    world.replace_program("notifications", "#!/bin/sh\nexit 7\n");
    assert_eq!(world.up().code, Some(1));
    assert_eq!(world.holder("events"), Some(events));
}

#[test]
fn a_lock_file_left_by_a_crash_is_no_obstacle() {
    let world = World::new();
    world.up().succeeded();
    let crashed = world.holder("events").unwrap();
    signal(crashed.pid, Signal::KILL);
    wait_for("the process to be gone", || world.holder("events").is_none().then_some(()));
    let status = world.run(&["status", "--local"]);
    assert_eq!(status.code, Some(3), "{status:?}");
    let up = world.up().succeeded();
    assert!(up.stdout.contains("started") && up.stdout.contains("kept"), "{up:?}");
    assert_eq!(resources(&world, "events").len(), fixtures("events"));
}

#[test]
fn a_signal_in_the_middle_of_up_leaves_nothing_running() {
    for (sent, name) in [(Signal::INT, "interrupted"), (Signal::TERM, "terminated")] {
        let world = World::new();
        // It listens but is never ready, so that `up` is in the middle of waiting.
        world.replace_program("notifications", "#!/bin/sh\necho waiting\nexec sleep 600\n");
        let up = world.begin_up();
        wait_for("events to run", || world.holder("events"));
        signal(up.id(), sent);
        let ran = Ran::of(up.wait_with_output().unwrap());
        world.assert_shown("local", &format!("up-{name}"), &ran);
        assert_eq!(world.holder("events"), None, "{ran:?}");
    }
}

#[test]
fn a_hanging_service_is_unhealthy_and_down_stops_it_all_the_same() {
    let world = World::new();
    world.up().succeeded();
    let pid = world.holder("events").unwrap().pid;
    signal(pid, Signal::STOP);
    let status = world.run(&["status", "--local"]);
    world.assert_shown("local", "status-of-a-hanging-service", &status);
    signal(pid, Signal::CONT);
    world.run(&["down", "--local"]).succeeded();
    assert_eq!(world.holder("events"), None);
}

#[test]
fn the_doctor_finds_what_is_wrong_with_local_services() {
    let world = World::new();
    let never = world.run(&["doctor", "--local", "--output", "json"]);
    assert_eq!(never.code, Some(3), "{never:?}");
    assert_eq!(never.json()["cause"]["found"], "is not running and has never run");
    world.up().succeeded();
    let fine = world.run(&["doctor", "--local", "--bundle", "help.tgz"]).succeeded();
    world.assert_shown("local", "doctor-finds-nothing", &fine);
    assert!(world.path().join("help.tgz").exists());

    let holder = world.holder("notifications").unwrap();
    signal(holder.pid, Signal::STOP);
    let hangs = world.run(&["doctor", "--local"]);
    signal(holder.pid, Signal::CONT);
    world.assert_shown("local", "doctor-finds-a-hanging-service", &hangs);

    let down = world.run(&["down", "--local", "--output", "json"]).succeeded().json();
    assert_eq!(down[1]["what"], format!("pid {}", holder.pid));
    world.assert_shown("local", "doctor-finds-none-running", &world.run(&["doctor", "--local"]));
}
