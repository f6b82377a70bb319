//! Runs the command in isolation: with a state folder and ports that no other test uses, and no
//! service left running when the test ends.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use rest::data_dir::{DataDir, Holder};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{build_statically, free_ports, program, temp_dir, wait_for};

pub(crate) struct World {
    dir: TempDir,
    pub(crate) port: u16,
}

/// How a run of the command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The load-test program for hosts, built as the command builds it.
fn load_test_program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        build_statically("loadtest", "eventpost-load");
        Path::new(env!("CARGO_BIN_EXE_eventpost")).with_file_name("eventpost-load")
    })
}

impl World {
    /// Writes a file of the folder that only this user can read.
    pub(crate) fn write_secret(&self, name: &str, text: &str) {
        let mut file = fs::File::options();
        let file = file.write(true).create(true).truncate(true).mode(0o600);
        let mut file = file.open(self.path().join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// A folder with the built services in it, described by an `eventpost.yml`.
    pub(crate) fn new() -> Self {
        let world = Self { dir: temp_dir(), port: free_ports() };
        world.describe(
            "stack: test\nservices:\n  events: {build: events, fixtures: events.yml}\n  \
             notifications: {build: notifications, fixtures: notifications.yml}\n",
        );
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
        for service in ["events", "notifications"] {
            let fixtures = format!("{service}.yml");
            let from = checkout.join("fixtures").join(&fixtures);
            fs::copy(from, world.path().join(fixtures)).unwrap();
            fs::hard_link(program(service), world.path().join(service)).unwrap();
        }
        // The command looks for programs beside itself.
        fs::hard_link(env!("CARGO_BIN_EXE_eventpost"), world.path().join("eventpost")).unwrap();
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Puts the load-test program for hosts beside the command.
    pub(crate) fn add_load_test_program(&self) {
        let program = self.path().join("eventpost-load");
        let _ = fs::remove_file(&program);
        fs::hard_link(load_test_program(), program).unwrap();
    }

    /// Writes the deployment's description.
    pub(crate) fn describe(&self, text: &str) {
        fs::write(self.path().join("eventpost.yml"), text).unwrap();
    }

    /// Puts a script in the place of a service's program.
    pub(crate) fn replace_program(&self, service: &str, script: &str) {
        self.shell(&format!("printf '%s' \"$1\" > {service}.new"), script);
        self.shell(&format!("chmod +x {service}.new && mv {service}.new {service}"), "");
    }

    /// Puts a service's own program back in its place.
    pub(crate) fn repair_program(&self, service: &str) {
        fs::remove_file(self.path().join(service)).unwrap();
        fs::hard_link(program(service), self.path().join(service)).unwrap();
    }

    /// Puts a program of the same behaviour but other bytes in the place of a service's.
    pub(crate) fn change_program(&self, service: &str) {
        self.shell(&format!("cp {service} {service}.new && printf x >> {service}.new"), "");
        self.shell(&format!("mv {service}.new {service}"), "");
    }

    /// Files that are to be run are written by another process: while this one has
    /// them open, a test beside it may fork, and running them fails as long.
    fn shell(&self, script: &str, argument: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-ec", script, "sh", argument]).current_dir(self.path());
        assert!(shell.status().unwrap().success(), "{script}");
    }

    /// The command, to be run in this world.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.path().join("eventpost"));
        command
            .args(args)
            .current_dir(self.path())
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env_remove("PORT")
            .stdin(Stdio::null());
        command
    }

    #[must_use = "what failed unnoticed shows much later, elsewhere"]
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs `up` with this world's ports.
    #[must_use = "what failed unnoticed shows much later, elsewhere"]
    pub(crate) fn up(&self) -> Ran {
        self.run(&self.up_args().each_ref().map(String::as_str))
    }

    /// Begins `up` without waiting for its end.
    pub(crate) fn begin_up(&self) -> Child {
        let mut command = self.command(&self.up_args().each_ref().map(String::as_str));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn up_args(&self) -> [String; 4] {
        ["up", "--local", "--port-base", &self.port.to_string()].map(String::from)
    }

    pub(crate) fn data(&self, service: &str) -> PathBuf {
        self.path().join("state/eventpost/test").join(service).join("data")
    }

    /// The process of a service.
    pub(crate) fn holder(&self, service: &str) -> Option<Holder> {
        // A process that has just taken the folder says a moment later who it is.
        wait_for("the holder to be known", || DataDir::holder(&self.data(service)).ok())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for service in ["events", "notifications"] {
            if let Ok(Some(holder)) = DataDir::holder(&self.data(service)) {
                // It may have ended meanwhile.
                let pid = holder.pid.try_into().ok().and_then(Pid::from_raw);
                let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
            }
        }
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Fails the test unless the command succeeded.
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
