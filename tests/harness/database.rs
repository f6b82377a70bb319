//! Where the services of tests keep their data: in SQLite, or with `EVENTPOST_ENGINE=postgres` each
//! in a database of its own on the server of `testbed/postgres`.

use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

/// Gives a service the database that belongs to its data folder, if tests run over PostgreSQL and
/// the command names no other. The folder's first use makes it.
pub(crate) fn give_database(command: &mut Command, data: &Path) {
    if std::env::var("EVENTPOST_ENGINE").as_deref() != Ok("postgres") {
        return;
    }
    let is_given = |name: &str| command.get_envs().any(|(other, _)| other == name);
    if is_given("DATABASE_URL") || is_given("DATABASE_URL_FILE") {
        return;
    }
    let server = std::env::var("EVENTPOST_POSTGRES")
        .expect("EVENTPOST_POSTGRES has the URL of a server: testbed/postgres prints it");
    let folder = std::path::absolute(data).unwrap();
    let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    let name = format!("t_{}", store::hex::of(&digest[..8]));
    let sql = format!("CREATE DATABASE {name}");
    let made = Command::new("psql").args(["-q", &server, "-c", &sql]).output().unwrap();
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success() || said.contains("already exists"), "{said}");
    let (base, _) = server.rsplit_once('/').unwrap();
    command.env("DATABASE_URL", format!("{base}/{name}"));
}
