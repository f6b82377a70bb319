//! PostgreSQL servers of tests that stop and kill them. Their data are in a folder of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::{free_ports, wait_for};

/// A server, stopped at the end of the test.
pub(super) struct Server {
    folder: TempDir,
    pub(super) port: u16,
}

impl Server {
    /// A new server that runs.
    pub(super) fn start() -> Self {
        let server = Self::prepare();
        let data = server.data();
        let data = data.to_str().unwrap();
        done(&Self::tool("initdb", &["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]));
        let hba = server.data().join("pg_hba.conf");
        let more = "host replication all 127.0.0.1/32 trust\n";
        std::fs::write(&hba, std::fs::read_to_string(&hba).unwrap() + more).unwrap();
        server.run("");
        server
    }

    /// A standby of this server that runs. Commits of this one wait for it from now on.
    pub(super) fn standby(&self) -> Self {
        let standby = Self::prepare();
        let (data, port) = (standby.data(), self.port.to_string());
        let from = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres"];
        let how = ["-D", data.to_str().unwrap(), "-R", "-X", "stream", "-c", "fast"];
        done(&Self::tool("pg_basebackup", &[from.as_slice(), &how].concat()));
        standby.run("");
        self.stop("fast");
        self.run("-c synchronous_standby_names=*");
        wait_for("the standby to follow", || {
            let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
            (self.sql(sql) == "1").then_some(())
        });
        standby
    }

    fn prepare() -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        if rustix::process::geteuid().is_root() {
            done(&Command::new("chown").arg("postgres").arg(folder.path()).output().unwrap());
        }
        Self { folder, port: free_ports() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs a program of PostgreSQL's as the user of the server, which root must not be.
    fn tool(name: &str, args: &[&str]) -> Output {
        let program = programs().join(name);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(args).current_dir("/").output().unwrap()
    }

    /// Starts the server, with more options.
    pub(super) fn run(&self, options: &str) {
        let folder = self.folder.path().display();
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -k {folder} -c max_connections=200 {options}",
            self.port
        );
        let (data, log) = (self.data(), self.folder.path().join("log"));
        let paths = ["-D", data.to_str().unwrap(), "-l", log.to_str().unwrap()];
        let how = ["-w", "-o", &options, "start"];
        let started = Self::tool("pg_ctl", &[paths.as_slice(), &how].concat());
        assert!(
            started.status.success(),
            "{started:?} {}",
            std::fs::read_to_string(log).unwrap_or_default()
        );
    }

    /// Stops the server: `fast`, or `immediate`, which is a crash.
    pub(super) fn stop(&self, mode: &str) {
        done(&Self::tool(
            "pg_ctl",
            &["-D", self.data().to_str().unwrap(), "-m", mode, "-w", "stop"],
        ));
    }

    /// Makes a standby a server that is written to.
    pub(super) fn promote(&self) {
        done(&Self::tool("pg_ctl", &["-D", self.data().to_str().unwrap(), "-w", "promote"]));
    }

    /// The first value that a statement returns.
    pub(super) fn sql(&self, sql: &str) -> String {
        let output = Command::new("psql").args(["-qAt", &self.url(), "-c", sql]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The address with which it is in a URL.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.address())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ =
            Self::tool("pg_ctl", &["-D", self.data().to_str().unwrap(), "-m", "immediate", "stop"]);
    }
}

fn done(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

/// The folder of the newest programs, which Debian keeps apart by version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is not installed: run scripts/test");
    let paths = versions.map(|entry| entry.unwrap().path().join("bin"));
    let version = |path: &Path| -> u32 {
        let name = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        name.and_then(|name| name.parse().ok()).unwrap_or(0)
    };
    paths.max_by_key(|path| version(path)).unwrap()
}
