//! Starts local services, waits until they are ready, and stops those that a failed or
//! interrupted run started.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use support::event::Reporter;
use support::http::{Client, Endpoint};
use support::wait::Deadline;

use super::process::{self, Child};
use super::{LocalError, ServiceFolder};
use crate::config::Service;
use crate::health::{self, Ready};
use crate::plan::local::ProcessSpec;
use crate::plan::{Action, Operation};

/// A start reads all data: a million resources take a few seconds.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// A service that runs already has read its data.
const KEEP_TIMEOUT: Duration = Duration::from_secs(10);

/// A service and what is to be done for it.
#[derive(Debug)]
pub struct Job<'a> {
    /// The service.
    pub service: &'a Service,
    /// Its folder.
    pub folder: ServiceFolder,
    /// Its program.
    pub program: &'a Path,
    /// How it is to run.
    pub wanted: ProcessSpec,
    /// What is done.
    pub operation: Operation,
    /// What is done when it runs, if fixtures are missing.
    pub seed: Option<Operation>,
}

/// The services that the current run has started, to be stopped if it fails.
#[derive(Debug, Default)]
pub struct StartedServices {
    to_stop: Mutex<Vec<ServiceFolder>>,
}

impl StartedServices {
    /// Stops what was started and did not run before, or is not ready.
    pub async fn stop(self) -> Result<(), LocalError> {
        let folders = self.to_stop.into_inner().unwrap_or_else(PoisonError::into_inner);
        for folder in folders {
            process::stop(&folder).await?;
        }
        Ok(())
    }

    fn started(&self, folder: &ServiceFolder) {
        self.lock().push(folder.clone());
    }

    /// A service that ran before and is ready again need not be stopped.
    fn restarted(&self, folder: &ServiceFolder) {
        self.lock().retain(|other| other.service() != folder.service());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<ServiceFolder>> {
        self.to_stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job<'_> {
    /// Starts the service if the action says so, and waits until it is ready.
    pub async fn make_ready(
        &self,
        reporter: Reporter<'_>,
        started: &StartedServices,
    ) -> Result<Ready, LocalError> {
        let (name, path) = (self.service.name.as_str(), &self.service.health);
        let endpoint = Client::from(Endpoint::at(self.wanted.address));
        if self.operation.is_keep() {
            reporter.step("runs already; checking that it is ready");
            let deadline = Deadline::after(KEEP_TIMEOUT);
            return Ok(health::wait_ready(name, &endpoint, path, deadline, reporter).await?);
        }
        let is_restart = matches!(self.operation.action, Action::Restart { .. });
        if is_restart {
            reporter.step(format!("restarting: {}", self.operation.reason));
        } else {
            reporter.step("starting");
        }
        let mut child = self.start(started)?;
        let deadline = Deadline::after(START_TIMEOUT);
        let ready = tokio::select! {
            ready = health::wait_ready(name, &endpoint, path, deadline, reporter) => {
                ready.map_err(|error| self.not_ready(error.to_string(), &child))
            }
            status = child.ended() => {
                let status = status.map_or_else(|error| error.to_string(), |s| s.to_string());
                Err(self.died(status, &child))
            }
        }?;
        child.keep_running();
        if is_restart {
            started.restarted(&self.folder);
        }
        Ok(ready)
    }

    fn start(&self, started: &StartedServices) -> Result<Child, LocalError> {
        self.folder.create()?;
        self.folder.set_release(&self.wanted.release)?;
        let ProcessSpec { address, .. } = self.wanted;
        let env = process::local_env(self.service);
        let child = process::spawn(&self.folder, self.program, address, &env)?;
        started.started(&self.folder);
        Ok(child)
    }

    fn not_ready(&self, problem: String, child: &Child) -> LocalError {
        let log = self.folder.log();
        let lines = process::last_lines(&log, child.log_start());
        LocalError::NotReady { problem, log, lines }
    }

    fn died(&self, status: String, child: &Child) -> LocalError {
        let log = self.folder.log();
        let lines = process::last_lines(&log, child.log_start());
        LocalError::Died { service: self.service.name.to_string(), status, log, lines }
    }
}
