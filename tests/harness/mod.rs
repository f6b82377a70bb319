//! Runs the real programs for tests: builds the services, starts them on ports of their own,
//! and stops them however the test ends.

pub(crate) mod browser;
pub(crate) mod cli;
pub(crate) mod database;
pub(crate) mod http;
pub(crate) mod region;
pub(crate) mod snapshot;
pub(crate) mod tokens;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rest::data_dir::DataDir;
pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use tempfile::TempDir;

/// How long a test waits for anything. Busy machines are slow, and nothing waits longer than it must.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running service with a data folder of its own, killed at the end of the test.
pub(crate) struct Service {
    process: Child,
    pub(crate) address: SocketAddr,
}

/// The program of a service, built now where it is not up to date.
pub(crate) fn program(service: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let eventpost = Path::new(env!("CARGO_BIN_EXE_eventpost"));
    BUILT.get_or_init(|| {
        for name in ["events", "notifications"] {
            build_statically(name, name);
        }
    });
    eventpost.with_file_name(service)
}

/// Builds a program as the command does, so that both build the same.
fn build_statically(package: &str, program: &str) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustc", "--locked", "--quiet", "-p", package, "--bin", program]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let strip = if cfg!(debug_assertions) { "strip=debuginfo" } else { "strip=symbols" };
    cargo.args(["--", "-C", "target-feature=+crt-static", "-C", strip]);
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
    assert!(status.success(), "{program} does not build");
}

impl Service {
    /// Starts a service on a free port and waits until it listens.
    pub(crate) fn start(service: &str, data: &Path) -> Self {
        Self::start_with(service, data, &[], Stdio::null())
    }

    /// As [`Self::start`], with more arguments and a place for standard output.
    pub(crate) fn start_with(service: &str, data: &Path, args: &[&str], stdout: Stdio) -> Self {
        let mut command = Command::new(program(service));
        command.args(args).stdout(stdout);
        Self::start_command(command, data)
    }

    /// Starts a service by a command that takes its arguments.
    pub(crate) fn start_command(mut command: Command, data: &Path) -> Self {
        command.args(["--listen", "127.0.0.1:0"]).stderr(Stdio::null());
        Self::start_with_arguments(command, data)
    }

    /// Starts a service by a command that also says where to listen and where its messages go.
    pub(crate) fn start_with_arguments(command: Command, data: &Path) -> Self {
        Self::try_start(command, data).unwrap_or_else(|output| panic!("{output:?}"))
    }

    /// As [`Self::start_with_arguments`], or how the process ended that should listen.
    pub(crate) fn try_start(mut command: Command, data: &Path) -> Result<Self, Output> {
        command.arg("--data").arg(data);
        database::give_database(&mut command, data);
        let mut process = command.spawn().unwrap();
        // The command may hold the writing end of a pipe that is read to its end.
        drop(command);
        let pid = process.id();
        // The lock file of a run before this one may name another process.
        let address = wait_for("the service to say where it listens, or to end", || {
            let holder = DataDir::holder(data).ok().flatten();
            match holder.filter(|holder| holder.pid == pid) {
                Some(holder) => Some(Some(holder.address)),
                None => process.try_wait().unwrap().map(|_| None),
            }
        });
        match address {
            Some(address) => Ok(Self { process, address }),
            None => Err(process.wait_with_output().unwrap()),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The value of a sample of `/metrics` that counts something, 0 where there is none.
    pub(crate) fn metric(&self, sample: &str) -> u64 {
        let text = http::send(self.address, "GET", "/metrics", None).body;
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok());
        value.unwrap_or(0)
    }

    /// Waits until a sample of `/metrics` has a value. How a connection ended is counted
    /// after it is closed: a client may see the end first.
    pub(crate) fn wait_for_metric(&self, sample: &str, value: u64) {
        wait_for(&format!("{sample} to be {value}"), || {
            (self.metric(sample) == value).then_some(())
        });
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.memory_of("VmRSS:")
    }

    /// The most resident memory that there was, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory_of("VmHWM:")
    }

    fn memory_of(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix("kB"));
        kib.unwrap().trim().parse::<u64>().unwrap() << 10
    }

    /// Open file descriptors.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// Ends the process as a crash would, at once.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ends the process by SIGTERM and returns its exit code.
    pub(crate) fn terminate(self) -> Option<i32> {
        signal(self.pid(), Signal::TERM);
        self.exit_code()
    }

    /// Waits for the end of a process that was sent a signal.
    pub(crate) fn exit_code(mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a service that is expected to end by itself.
pub(crate) fn run_service(service: &str, args: &[&str], data: &Path) -> Output {
    let mut command = Command::new(program(service));
    command.args(args).arg("--data").arg(data);
    database::give_database(&mut command, data);
    command.output().unwrap()
}

/// A command that runs this one with a umask of 000.
pub(crate) fn without_umask(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 000 && exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.stdin(Stdio::null());
    shell
}

/// How many files and folders there are at a path and below. Fails where the group or others
/// may use one of them.
pub(crate) fn assert_private(path: &Path) -> usize {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    let mode = metadata.permissions().mode() & 0o777;
    assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    if !metadata.is_dir() {
        return 1;
    }
    let entries = std::fs::read_dir(path).unwrap();
    1 + entries.map(|entry| assert_private(&entry.unwrap().path())).sum::<usize>()
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let id = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(id, signal).unwrap_or_else(|error| panic!("process {pid}: {error}"));
}

/// Calls `look` until it returns something, and panics after a minute.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < TIMEOUT {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited {} s for {what}", TIMEOUT.as_secs());
}

/// A valid event of some 150 bytes.
pub(crate) const EVENT: &str = r#"{"title": "t", "description": "dddddddddddddddddddd",
    "date": "2020-12-12", "time": "20:50:12"}"#;

/// A valid event of some 5,000 bytes as it is stored.
pub(crate) fn long_event() -> String {
    EVENT.replace(&"d".repeat(20), &"\u{1f389}".repeat(400))
}

/// Stores an event many times, by several clients. Returns the paths.
pub(crate) fn post_many(service: &Service, count: usize, event: &str) -> Vec<String> {
    const CLIENTS: usize = 16;
    let post = |client: usize| {
        let mut connection = http::Client::connect(service.address).unwrap();
        let mine = (client..count).step_by(CLIENTS);
        mine.map(|_| {
            let made = connection.send("POST", "/events", event).unwrap();
            assert_eq!(made.status, 201, "{made:?}");
            made.header("location").unwrap().to_owned()
        })
        .collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|n| scope.spawn(move || post(n))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// A folder beside the built programs, so that they can be linked into it.
pub(crate) fn temp_dir() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A free port with two free ones after it, which no other test of this run uses. They
/// lie below the range that the system gives to connections.
pub(crate) fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Runs side by side begin at different places.
    let begin = u16::try_from(std::process::id() % 200).unwrap() * 100;
    wait_for("free ports", || {
        let first = 10_000 + (begin + NEXT.fetch_add(3, Ordering::Relaxed)) % 20_000;
        let free = |port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        (first..first + 3).all(free).then_some(first)
    })
}
