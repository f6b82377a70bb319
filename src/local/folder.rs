//! The folders of local services:
//!
//! ```text
//! <state>/<stack>/lock                  held while a command changes the stack
//! <state>/<stack>/<service>/data        the service's data
//! <state>/<stack>/<service>/service.log what the service logs
//! <state>/<stack>/<service>/release     what it was started from
//! <state>/keys/<stack>                  the key that logs in to the stack's hosts
//! ```
//!
//! Nobody but this user can read them, whatever the umask.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use rest::file::replace_file;
use rest::private;

use super::LocalError;
use crate::config::Name;
use crate::plan::local::Release;

/// The file with the duration of the last launch of hosts.
const LAST_UP: &str = "last-up-seconds";

/// The folder of a stack.
#[derive(Debug, Clone)]
pub struct StackFolder {
    path: PathBuf,
    stack: Name,
    /// Whether the folder above it is the default one, which holds nothing but stacks and keys.
    is_usual: bool,
}

/// The folder of a service.
#[derive(Debug, Clone)]
pub struct ServiceFolder {
    path: PathBuf,
    service: String,
}

/// The right to change a stack, for as long as this value lives.
#[derive(Debug)]
pub struct StackLock {
    _file: File,
}

impl StackFolder {
    /// The folder of `stack` below `state_dir`, or below the folder that the XDG base
    /// directory specification names for such data.
    pub fn new(state_dir: Option<&Path>, stack: &Name) -> Result<Self, LocalError> {
        let variable =
            |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = match state_dir {
            Some(dir) => Some(dir.to_path_buf()),
            None => variable("XDG_STATE_HOME")
                .filter(|dir| dir.is_absolute())
                .or_else(|| variable("HOME").map(|home| home.join(".local/state")))
                .map(|dir| dir.join("eventpost")),
        };
        let base = base.ok_or(LocalError::NoStateDir)?;
        // Services get their folders as arguments and must find them from anywhere.
        let base = std::path::absolute(&base).map_err(LocalError::io(base))?;
        let is_usual = state_dir.is_none();
        Ok(Self { path: base.join(stack.as_str()), stack: stack.clone(), is_usual })
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key that was created for the stack's hosts. It is outside the stack's folder: removing
    /// local data must not lock anybody out of hosts.
    pub fn key(&self) -> PathBuf {
        self.path.with_file_name("keys").join(self.stack.as_str())
    }

    /// Creates the folder if it is missing, for this user only.
    pub fn create(&self) -> Result<(), LocalError> {
        if let Some(base) = self.path.parent().filter(|_| self.is_usual) {
            private::create_dir_all(base).map_err(LocalError::io(base))?;
        }
        private::create_dir_all(&self.path).map_err(LocalError::io(&self.path))
    }

    /// Creates the folder if it is missing, and locks the stack against other commands.
    pub fn lock(&self) -> Result<StackLock, LocalError> {
        self.create()?;
        let path = self.path.join("lock");
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        let file = private::open(&mut options, &path).map_err(LocalError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(StackLock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(LocalError::Busy { stack: self.stack.to_string() })
            }
            Err(TryLockError::Error(source)) => Err(LocalError::Io { path, source }),
        }
    }

    /// The folder of a service.
    pub fn service(&self, name: &str) -> ServiceFolder {
        ServiceFolder { path: self.path.join(name), service: name.into() }
    }

    /// The services that have a folder, by name, whether the stack still has
    /// them or not.
    pub fn services(&self) -> Result<Vec<ServiceFolder>, LocalError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let mut services = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(LocalError::io(&self.path))? {
            let entry = entry.map_err(LocalError::io(&self.path))?;
            if entry.path().is_dir()
                && let Ok(name) = entry.file_name().into_string()
            {
                services.push(self.service(&name));
            }
        }
        services.sort_by(|a, b| a.service.cmp(&b.service));
        Ok(services)
    }

    /// How long the last launch of hosts took, in seconds, if that is known.
    pub fn last_up(&self) -> Option<f64> {
        fs::read_to_string(self.path.join(LAST_UP)).ok()?.trim().parse().ok()
    }

    /// Records how long a launch of hosts took.
    pub fn set_last_up(&self, seconds: f64) -> Result<(), LocalError> {
        self.create()?;
        let file = self.path.join(LAST_UP);
        replace_file(&file, 0o600, format!("{seconds:.1}\n")).map_err(LocalError::io(&file))
    }

    /// Removes everything of the stack.
    pub fn remove(&self) -> Result<(), LocalError> {
        fs::remove_dir_all(&self.path).map_err(LocalError::io(&self.path))
    }
}

impl ServiceFolder {
    /// The service's name.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Creates the folder if it is missing, for this user only.
    pub fn create(&self) -> Result<(), LocalError> {
        private::create_dir_all(&self.path).map_err(LocalError::io(&self.path))
    }

    /// Where the service keeps its data.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Where the service's log goes.
    pub fn log(&self) -> PathBuf {
        self.path.join("service.log")
    }

    /// What the service was last started from, if that is known.
    pub fn release(&self) -> Option<Release> {
        let text = fs::read(self.path.join("release")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Records what the service is about to be started from.
    pub fn set_release(&self, release: &Release) -> Result<(), LocalError> {
        let path = self.path.join("release");
        let text = serde_json::to_string(release).unwrap_or_default();
        replace_file(&path, 0o600, text).map_err(LocalError::io(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_changed_by_one_command_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let folder = StackFolder::new(Some(dir.path()), &Name::new("s").unwrap()).unwrap();
        let held = folder.lock().unwrap();
        let error = folder.lock().unwrap_err().to_string();
        assert!(error.contains("another eventpost is changing the local stack `s`"), "{error}");
        drop(held);
        folder.lock().unwrap();
    }

    #[test]
    fn services_are_found_by_their_folders() {
        let dir = tempfile::tempdir().unwrap();
        let folder = StackFolder::new(Some(dir.path()), &Name::new("s").unwrap()).unwrap();
        assert!(folder.services().unwrap().is_empty());
        let _lock = folder.lock().unwrap();
        folder.service("b").create().unwrap();
        folder.service("a").create().unwrap();
        let names: Vec<_> =
            folder.services().unwrap().iter().map(|s| s.service().to_owned()).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
