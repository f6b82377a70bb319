//! Services whose data are in PostgreSQL: servers that go away, that are replaced by a standby, and
//! several processes with one database.

mod away;
mod failover;
mod replicas;
mod server;

use std::path::Path;
use std::process::{Command, Stdio};

use self::server::Server;
use crate::harness::{Service, program};

/// Starts a service with a database.
fn start(service: &str, url: &str, data: &Path) -> Service {
    let mut command = Command::new(program(service));
    command.env("DATABASE_URL", url).stdout(Stdio::null());
    Service::start_command(command, data)
}
