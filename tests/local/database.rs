//! Local services whose data are in PostgreSQL.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::resources;
use crate::harness::EVENT;
use crate::harness::cli::World;
use crate::harness::http::send;

/// Makes a database of this test's own, and writes its URL to a file of a world.
fn write_url(world: &World, name: &str) {
    let server = std::env::var("EVENTPOST_POSTGRES")
        .expect("EVENTPOST_POSTGRES has the URL of a server: testbed/postgres prints it");
    for sql in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
        let made = Command::new("psql").args(["-q", &server, "-c", &sql]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let (base, _) = server.rsplit_once('/').unwrap();
    world.write_secret("database-url", &format!("{base}/{name}\n"));
}

fn describe(world: &World, database: &str) {
    world.describe(&format!(
        "stack: test\n{database}services:\n  events: {{build: events, fixtures: events.yml}}\n  \
         notifications: {{build: notifications, fixtures: notifications.yml}}\n"
    ));
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn data_move_into_a_database_and_back_by_a_backup() {
    let world = World::new();
    write_url(&world, "local_stack");
    world.up().succeeded();
    let address = world.holder("events").unwrap().address;
    assert_eq!(send(address, "POST", "/events", Some(EVENT)).status, 201);
    let before = resources(&world, "events");
    world.run(&["backup", "from-files", "--local"]).succeeded();
    world.run(&["down", "--local"]).succeeded();

    describe(&world, "database: {url_file: database-url}\n");
    world.run(&["restore", "from-files", "--local", "--yes"]).succeeded();
    world.up().succeeded();
    assert_eq!(resources(&world, "events"), before);
    let status = world.run(&["status", "--local"]).succeeded().stdout;
    assert!(status.contains("STORAGE") && status.contains("postgresql"), "{status}");

    // Services go on while a backup of their database is restored.
    let address = world.holder("events").unwrap().address;
    world.run(&["backup", "from-database", "--local"]).succeeded();
    assert_eq!(send(address, "POST", "/events", Some(EVENT)).status, 201);
    world.run(&["restore", "from-database", "--local", "--yes"]).succeeded();
    assert_eq!(world.holder("events").unwrap().address, address);
    assert_eq!(resources(&world, "events"), before);

    // Nothing is lost with the folders.
    world.run(&["down", "--local", "--purge", "--yes"]).succeeded();
    world.up().succeeded();
    assert_eq!(resources(&world, "events"), before);
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn a_database_url_that_cannot_be_used_is_said_before_anything_starts() {
    let world = World::new();
    describe(&world, "database: {url_file: database-url}\n");
    let missing = world.up();
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.stderr.contains("database-url"), "{missing:?}");
    assert!(world.holder("events").is_none());
    let file = world.path().join("database-url");
    fs::write(&file, "postgres://u:secret@127.0.0.1:1").unwrap();
    let shared = world.up();
    assert!(shared.stderr.contains("database-url of"), "{shared:?}");
    assert!(shared.stderr.contains("run `chmod 600 "), "{shared:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let refused = world.up();
    assert!(refused.stderr.contains("it has no name of a database"), "{refused:?}");
    assert!(!refused.stderr.contains("secret"), "{refused:?}");
}
