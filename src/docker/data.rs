//! Copies a service's data out of its container's volume on a host, and back into it.

use std::path::Path;
use std::time::Duration;

use ssh::{Command, Host, HostError};
use support::event::Reporter;

use super::{container, files};
use crate::config::Service;

/// There is no limit to the size of the data; this allows for many gigabytes.
pub(super) const TIMEOUT: Duration = Duration::from_secs(6 * 3600);

/// For steps that copy nothing.
const SHORT_TIMEOUT: Duration = Duration::from_secs(90);
const UPLOADING: &str = "uploading the data";

/// What is done with a service's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataStep {
    /// Check that the data can be copied without loss; changes nothing.
    Check,
    /// Refuse writes from now on, for this many seconds at most, and wait until none is under
    /// way.
    ReadOnly(u32),
    /// Accept writes again.
    ReadWrite,
    /// Copy the data to standard output, while the service runs.
    Backup,
    /// Replace the data with the uploaded copy, and keep what was there.
    Replace,
    /// Put back what was kept.
    Undo,
    /// Remove what was kept and uploaded.
    Forget,
}

impl DataStep {
    fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::ReadOnly(_) => "read-only",
            Self::ReadWrite => "read-write",
            Self::Backup => "backup",
            Self::Replace => "replace",
            Self::Undo => "undo",
            Self::Forget => "forget",
        }
    }

    /// Whether it takes longer with more data.
    fn copies(self) -> bool {
        matches!(self, Self::Backup | Self::Replace | Self::Undo)
    }

    /// What errors call it: "while …", "… failed".
    pub fn doing(self) -> &'static str {
        match self {
            Self::Check => "checking the data",
            Self::ReadOnly(_) => "making the service read-only",
            Self::ReadWrite => "accepting writes again",
            Self::Backup => "copying the data",
            Self::Replace => "replacing the data",
            Self::Undo => "putting the previous data back",
            Self::Forget => "removing the copies",
        }
    }
}

/// The command for a step.
pub fn data(service: &Service, step: DataStep) -> Command {
    let script = include_str!("../../templates/data.sh");
    let seconds = match step {
        DataStep::ReadOnly(seconds) => seconds.to_string(),
        _ => String::new(),
    };
    let timeout = if step.copies() { TIMEOUT } else { SHORT_TIMEOUT };
    Command::script(script, &[step.word(), &container(service), &seconds]).within(timeout)
}

/// Runs a step that must succeed.
pub async fn run_data(host: &Host, service: &Service, step: DataStep) -> Result<(), HostError> {
    host.run(step.doing(), data(service, step)).await.map(drop)
}

/// Copies a service's data from one host to the place on another that [`DataStep::Replace`] reads.
pub async fn carry(
    from: &Host,
    to: &Host,
    service: &Service,
    reporter: Reporter<'_>,
) -> Result<(), HostError> {
    let broken = |cause: std::io::Error| HostError::Broken {
        host: to.name().into(),
        doing: UPLOADING,
        cause: cause.to_string(),
    };
    let copy = data(service, DataStep::Backup);
    let (copy, upload) = copy.pipe_into(receive_copy(service)).map_err(broken)?;
    let copied = async {
        let output = from.attempt(DataStep::Backup.doing(), copy).await?;
        if output.succeeded() {
            Ok(())
        } else {
            Err(from.failed(DataStep::Backup.doing(), &output))
        }
    };
    let (copied, uploaded) = tokio::join!(copied, to.run_reporting(UPLOADING, upload, reporter));
    // If the upload fails, so does the copy; the upload's error says why.
    uploaded?;
    copied
}

/// The command that writes its input where [`DataStep::Replace`] reads it.
fn receive_copy(service: &Service) -> Command {
    let file = format!("/var/lib/eventpost/copies/{}.copy", container(service));
    files::receive(&file).within(TIMEOUT)
}

/// Uploads a copy to where [`DataStep::Replace`] reads it.
pub async fn upload_copy(
    host: &Host,
    service: &Service,
    copy: &Path,
    reporter: Reporter<'_>,
) -> Result<(), HostError> {
    let command = receive_copy(service).file(copy.into());
    host.run_reporting(UPLOADING, command, reporter).await.map(drop)
}
