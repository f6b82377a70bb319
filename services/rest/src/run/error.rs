//! Why a service's program fails, and its exit codes.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use store::{BackupError, StoreError};

use crate::access::AccessError;
use crate::control::ControlError;
use crate::data_dir::DataDirError;
use crate::tls::TlsError;

/// Why a backup was not made or restored. What was there before is unchanged.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// The backup's file cannot be opened.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// The backup's file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    /// The backup or the data is not as it should be.
    #[error("{}: {source}", path.display())]
    Failed { path: PathBuf, source: BackupError },
}

/// Why a command of the service failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error(
        "cannot listen on {address} ({source}): stop what uses it, or choose another address with \
         {option}"
    )]
    Listen { address: SocketAddr, option: &'static str, source: io::Error },
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot start: {0}")]
    Extension(String),
    #[error("the operating system failed: {0}")]
    System(String),
}

impl RunError {
    pub(super) fn system(error: impl std::fmt::Display) -> Self {
        Self::System(error.to_string())
    }

    /// The exit code, as in sysexits.h.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Store(error) => store_code(error),
            Self::Copy(CopyError::Failed { source, .. }) => match source {
                BackupError::Store(error) => store_code(error),
                BackupError::Read(_) => 66,
                BackupError::Write(_) | BackupError::Exists(_) => 73,
                _ => 65,
            },
            Self::Copy(CopyError::Unreadable { .. }) => 66,
            Self::Listen { .. } => 69,
            Self::DataDir(DataDirError::Unwritable { .. } | DataDirError::Foreign { .. })
            | Self::Control(ControlError::DataDir(
                DataDirError::Unwritable { .. } | DataDirError::Foreign { .. },
            ))
            | Self::Tls(TlsError::Unwritable { .. })
            | Self::Copy(CopyError::Unwritable { .. }) => 73,
            Self::System(_) | Self::Control(_) => 74,
            Self::DataDir(DataDirError::Locked { .. }) => 75,
            Self::Access(_) | Self::Tls(_) | Self::Extension(_) => 78,
        })
    }
}

fn store_code(error: &StoreError) -> u8 {
    match error {
        StoreError::Damaged { .. }
        | StoreError::DamagedDocument { .. }
        | StoreError::Foreign { .. }
        | StoreError::OldLog { .. }
        | StoreError::Newer { .. } => 65,
        StoreError::Unavailable { .. } | StoreError::InDoubt { .. } | StoreError::Busy { .. } => 69,
        StoreError::Partly { cause, .. } => store_code(cause),
        StoreError::DatabaseUrl(_) => 78,
        StoreError::ReadOnly { .. } => 73,
        StoreError::Locked { .. } => 75,
        _ => 74,
    }
}
