//! Finds, starts and stops the processes of local services.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rest::data_dir::{DataDir, DataDirError, Holder};
use rest::private;
use rustix::process::{Pid, Signal};
use support::digest::sha256;
use support::wait::{Backoff, Deadline};
use tokio::process::Command;

use super::{LocalError, ServiceFolder};
use crate::config::Service;
use crate::environment;
use crate::plan::local::Release;

/// A service drains for ten seconds at most; then it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// A service writes its address within milliseconds of taking the lock.
const HOLDER_TIMEOUT: Duration = Duration::from_secs(5);
/// A larger log is moved aside at the next start.
const LOG_BYTES: u64 = 10 << 20;
/// The lines of a log that an error shows.
const LOG_LINES: usize = 15;

/// A service that this process has started. Unless [`Child::keep_running`] is called, it is
/// stopped when this value is dropped, so that an interrupted start leaves nothing behind.
#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    keeps_running: bool,
    /// Where its lines begin in the log.
    log_start: u64,
}

/// The process that holds the lock of a service's data, if any.
pub async fn find(folder: &ServiceFolder) -> Result<Option<Holder>, LocalError> {
    let deadline = Deadline::after(HOLDER_TIMEOUT);
    let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(200));
    loop {
        match DataDir::holder(&folder.data()) {
            Err(DataDirError::Locked { .. }) if !deadline.has_passed() => {
                backoff.pause(deadline).await;
            }
            found => return Ok(found?),
        }
    }
}

/// The digests of a program and an environment.
pub fn release(program: &Path, env: &BTreeMap<String, String>) -> Result<Release, LocalError> {
    let bytes = fs::read(program).map_err(LocalError::io(program))?;
    // NUL is in neither names nor values, so that no two environments look alike.
    let env: Vec<_> = env.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
    Ok(Release { program: sha256(bytes), env: sha256(env.concat()) })
}

/// The environment of a local service, which reads each secret from the user's own file.
pub fn local_env(service: &Service) -> BTreeMap<String, String> {
    service.env_with(|secret| {
        let absolute = std::path::absolute(&secret.file);
        absolute.unwrap_or_else(|_| secret.file.clone()).display().to_string()
    })
}

/// Starts a service that outlives this process and its terminal.
pub(super) fn spawn(
    folder: &ServiceFolder,
    program: &Path,
    address: SocketAddr,
    env: &BTreeMap<String, String>,
) -> Result<Child, LocalError> {
    let log_path = folder.log();
    let log = open_log(&log_path).map_err(LocalError::io(&log_path))?;
    let log_start = log.metadata().map_err(LocalError::io(&log_path))?.len();
    let errors = log.try_clone().map_err(LocalError::io(&log_path))?;
    let mut command = Command::new(program);
    command
        .arg("--listen")
        .arg(address.to_string())
        .arg("--data")
        .arg(folder.data())
        .env_clear()
        .envs(environment::for_services())
        .envs(env)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    detach(&mut command);
    let process = command.spawn().map_err(LocalError::io(program))?;
    Ok(Child { process, keeps_running: false, log_start })
}

/// Replaces the data of a service that does not run by those of a copy. What was there stays if
/// that fails.
pub async fn restore(
    folder: &ServiceFolder,
    program: &Path,
    copy: &Path,
    env: &BTreeMap<String, String>,
) -> Result<(), LocalError> {
    let copy = std::path::absolute(copy).map_err(LocalError::io(copy))?;
    let mut command = Command::new(program);
    command
        .arg("restore")
        .arg(copy)
        .args(["--replace", "--data"])
        .arg(folder.data())
        .env_clear()
        .envs(environment::for_services())
        .envs(env)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await.map_err(LocalError::io(program))?;
    if output.status.success() {
        return Ok(());
    }
    let lines = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(LocalError::NotRestored { service: folder.service().into(), lines })
}

impl Child {
    /// Waits until the process has ended.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Keeps the process running after this value is dropped.
    pub(super) fn keep_running(&mut self) {
        self.keeps_running = true;
    }

    /// Where the lines of this start begin in the service's log, in bytes.
    pub(super) fn log_start(&self) -> u64 {
        self.log_start
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // There is an id until the process has been waited for, so it cannot belong to another
        // process yet.
        if let Some(pid) = self.process.id().filter(|_| !self.keeps_running) {
            // Sending a signal to this user's own process fails only if it has ended.
            let _ = send(pid, Signal::TERM);
        }
    }
}

/// Stops the service that holds the lock of the folder, if any, and returns it. Its data stay.
pub async fn stop(folder: &ServiceFolder) -> Result<Option<Holder>, LocalError> {
    let Some(holder) = find(folder).await? else {
        return Ok(None);
    };
    // Whoever owns the folder could have written any process into it.
    let data = folder.data();
    let uid = fs::metadata(&data).map_err(LocalError::io(&data))?.uid();
    if uid != rustix::process::geteuid().as_raw() {
        return Err(LocalError::Foreign { service: folder.service().into(), uid });
    }
    for (signal, limit) in [(Signal::TERM, STOP_TIMEOUT), (Signal::KILL, KILL_TIMEOUT)] {
        send(holder.pid, signal).map_err(LocalError::io(folder.data()))?;
        let deadline = Deadline::after(limit);
        let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(100));
        while !deadline.has_passed() {
            if find(folder).await?.is_none_or(|now| now.pid != holder.pid) {
                return Ok(Some(holder));
            }
            backoff.pause(deadline).await;
        }
    }
    Err(LocalError::Unstoppable { service: folder.service().into(), pid: holder.pid })
}

/// The last lines of a log, from `start` on, indented for an error.
pub fn last_lines(log: &Path, start: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(start.max(end.saturating_sub(64 << 10))))?;
        file.read_to_end(&mut text)
    });
    if let Err(error) = read {
        return format!("  (it cannot be read: {error})");
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    if lines.is_empty() {
        return "  (it is empty)".into();
    }
    let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
    last.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Takes the process out of this terminal's session, so that neither Ctrl-C nor
/// closing the terminal reaches it.
#[expect(unsafe_code, reason = "the standard library has no safe call for setsid")]
fn detach(command: &mut Command) {
    let leave = || rustix::process::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: between fork and exec only setsid is called, which is async-signal-safe
    // and allocates nothing.
    unsafe { command.pre_exec(leave) };
}

/// Sends a signal; a process that has just ended needs none.
fn send(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    match rustix::process::kill_process(pid, signal) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        sent => Ok(sent?),
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    let open = || private::open(File::options().create(true).append(true), path);
    let log = open()?;
    if log.metadata()?.len() <= LOG_BYTES {
        return Ok(log);
    }
    fs::rename(path, path.with_extension("log.1"))?;
    open()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_log_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let old = "an older start\n";
        let lines = (0..20).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        fs::write(&log, format!("{old}{lines}\n")).unwrap();
        let shown = last_lines(&log, old.len() as u64);
        assert_eq!(shown.lines().count(), LOG_LINES);
        assert!(shown.starts_with("  line 5\n") && shown.ends_with("  line 19"), "{shown}");
        assert_eq!(last_lines(&log, (old.len() + lines.len() + 1) as u64), "  (it is empty)");
        assert!(last_lines(&dir.path().join("none"), 0).contains("cannot be read"));
    }

    #[test]
    fn environments_that_differ_have_different_digests() {
        let program = std::env::current_exe().unwrap();
        let of = |pairs: &[(&str, &str)]| {
            let env = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            release(&program, &env).unwrap()
        };
        assert_eq!(of(&[("A", "1")]), of(&[("A", "1")]));
        assert_ne!(of(&[("A", "1")]).env, of(&[("A", "2")]).env);
        assert_ne!(of(&[("A", "1B")]).env, of(&[("A1", "B")]).env);
    }
}
