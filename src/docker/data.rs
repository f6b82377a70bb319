//! This module owns a service's data on a host: copies of them out of the container's
//! volume and into it.

use std::path::Path;
use std::time::Duration;

use super::container;
use crate::config::Service;
use crate::event::Reporter;
use crate::host::{Command, Host, HostError, quote};

/// Data have no largest size; this allows for many gigabytes.
const LIMIT: Duration = Duration::from_secs(6 * 3600);

/// What is done with a service's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataStep {
    /// A copy of them to standard output; the service goes on.
    Backup,
    /// Those of the uploaded copy take their place, and they are kept beside.
    Replace,
    /// What was kept takes its place again.
    Undo,
    /// What was kept or uploaded is removed.
    Forget,
}

impl DataStep {
    fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Replace => "replace",
            Self::Undo => "undo",
            Self::Forget => "forget",
        }
    }

    /// What errors call it: "while …", "… failed".
    pub fn doing(self) -> &'static str {
        match self {
            Self::Backup => "copying the data",
            Self::Replace => "replacing the data",
            Self::Undo => "putting the data of before back",
            Self::Forget => "removing the copies",
        }
    }
}

/// The command for a step.
pub fn data(service: &Service, step: DataStep) -> Command {
    let script = include_str!("../../templates/data.sh");
    Command::script(script, &[step.word(), &container(service)]).within(LIMIT)
}

/// Brings a copy to where [`DataStep::Replace`] takes it from.
pub async fn upload_copy(
    host: &Host,
    service: &Service,
    copy: &Path,
    reporter: Reporter<'_>,
) -> Result<(), HostError> {
    let file = format!("/var/tmp/{}.copy", container(service));
    let line = format!("umask 077 && cat > {0}.part && mv {0}.part {0}", quote(&file));
    let command = Command::new(format!("sudo sh -c {}", quote(&line)));
    let command = command.file(copy.into()).within(LIMIT);
    host.run_reporting("uploading the data", command, reporter).await.map(drop)
}
