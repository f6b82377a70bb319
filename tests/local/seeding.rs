//! Fixtures: added where they are missing, and refused where they are wrong.

use std::fs;

use super::{fixtures, resources};
use crate::harness::cli::World;
use crate::harness::http::send;

#[test]
fn seeding_completes_what_is_missing_and_force_adds_all() {
    let world = World::new();
    world.up().succeeded();
    let address = world.holder("events").unwrap().address;
    let first = resources(&world, "events")[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(send(address, "DELETE", &format!("/events/{first}"), None).status, 200);
    let rows = world.run(&["seed", "--local", "--output", "json"]).succeeded().json();
    assert_eq!((&rows[0]["added"], &rows[1]["added"]), (&1.into(), &0.into()), "{rows}");
    assert_eq!(resources(&world, "events").len(), fixtures("events"));

    let url = format!("events=http://{address}");
    world.run(&["seed", "--url", &url, "--force"]).succeeded();
    assert_eq!(resources(&world, "events").len(), 2 * fixtures("events"));
    assert_eq!(resources(&world, "notifications").len(), fixtures("notifications"));
}

#[test]
fn a_fixture_that_is_refused_is_named_with_the_field() {
    let world = World::new();
    let good =
        "- {title: good, description: long enough for an event, date: 2020-12-12, time: 20:50:12}";
    let bad = "- {title: bad, description: short, date: 2020-12-12, time: 20:50:12}";
    fs::write(world.path().join("events.yml"), format!("{good}\n{bad}\n")).unwrap();
    let up = world.up();
    world.assert_shown("local", "fixture-refused", &up);
}

#[test]
fn a_fixture_that_is_stored_otherwise_is_warned_of() {
    let world = World::new();
    let odd =
        "- {title: odd, description: long enough for an event, date: 2020-1-2, time: 20:50:12}";
    fs::write(world.path().join("events.yml"), odd).unwrap();
    world.assert_shown("local", "fixture-stored-otherwise", &world.up().succeeded());
}

#[test]
fn seeding_what_does_not_run_or_is_another_service_fails() {
    let world = World::new();
    world.assert_shown("local", "seed-what-does-not-run", &world.run(&["seed", "--local"]));
    world.up().succeeded();
    let url = format!("events=http://127.0.0.1:{}", world.port + 1);
    world.assert_shown("local", "seed-another-service", &world.run(&["seed", "--url", &url]));
    let unknown = world.run(&["seed", "--url", "users=http://127.0.0.1:1"]);
    world.assert_shown("local", "seed-an-unknown-service", &unknown);
}
