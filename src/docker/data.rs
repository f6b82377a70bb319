//! Copies a service's data on a host out of the container's volume and into it.

use std::path::Path;
use std::time::Duration;

use ssh::{Command, Host, HostError, quote};
use support::event::Reporter;

use super::container;
use crate::config::Service;

/// Data have no largest size; this allows for many gigabytes.
pub(super) const LIMIT: Duration = Duration::from_secs(6 * 3600);

/// Looking, and having a service stop or begin to take writes.
const SHORT_LIMIT: Duration = Duration::from_secs(90);
const UPLOADING: &str = "uploading the data";

/// What is done with a service's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataStep {
    /// Nothing: whether they can be copied with nothing lost.
    Check,
    /// Writes are refused from now on, for so many seconds at the most; none is at work.
    Refuse(u32),
    /// Writes are taken again.
    Take,
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
            Self::Check => "check",
            Self::Refuse(_) => "refuse",
            Self::Take => "take",
            Self::Backup => "backup",
            Self::Replace => "replace",
            Self::Undo => "undo",
            Self::Forget => "forget",
        }
    }

    /// Whether it takes the longer the more data there are.
    fn copies(self) -> bool {
        matches!(self, Self::Backup | Self::Replace | Self::Undo)
    }

    /// What errors call it: "while …", "… failed".
    pub fn doing(self) -> &'static str {
        match self {
            Self::Check => "looking at the data",
            Self::Refuse(_) => "having writes refused",
            Self::Take => "having writes taken again",
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
    let seconds = match step {
        DataStep::Refuse(seconds) => seconds.to_string(),
        _ => String::new(),
    };
    let limit = if step.copies() { LIMIT } else { SHORT_LIMIT };
    Command::script(script, &[step.word(), &container(service), &seconds]).within(limit)
}

/// Carries a step out that must succeed.
pub async fn run_data(host: &Host, service: &Service, step: DataStep) -> Result<(), HostError> {
    host.run(step.doing(), data(service, step)).await.map(drop)
}

/// Copies a service's data from one host to another, where [`DataStep::Replace`] takes
/// them from.
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
    let (copy, upload) = copy.pipe_into(take_copy(service)).map_err(broken)?;
    let copied = async {
        let output = from.attempt(DataStep::Backup.doing(), copy).await?;
        if output.succeeded() {
            Ok(())
        } else {
            Err(from.failed(DataStep::Backup.doing(), &output))
        }
    };
    let (copied, uploaded) = tokio::join!(copied, to.run_reporting(UPLOADING, upload, reporter));
    // Where nobody takes it, the copy fails too: why is what the other one says.
    uploaded?;
    copied
}

/// What takes a copy in, and puts it to where [`DataStep::Replace`] takes it from.
fn take_copy(service: &Service) -> Command {
    let file = format!("/var/tmp/{}.copy", container(service));
    let line = format!("umask 077 && cat > {0}.part && mv {0}.part {0}", quote(&file));
    Command::new(format!("sudo sh -c {}", quote(&line))).within(LIMIT)
}

/// Brings a copy to where [`DataStep::Replace`] takes it from.
pub async fn upload_copy(
    host: &Host,
    service: &Service,
    copy: &Path,
    reporter: Reporter<'_>,
) -> Result<(), HostError> {
    let command = take_copy(service).file(copy.into());
    host.run_reporting(UPLOADING, command, reporter).await.map(drop)
}
