//! Why a service's program fails, and its exit codes.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use crate::access::AccessError;
use crate::control::ControlError;
use crate::data_dir::DataDirError;
use crate::store::{CopyError, StoreError};

/// Why a command of the service failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error(
        "cannot listen on {address} ({source}): stop what uses it, or choose another address with \
         --listen"
    )]
    Listen { address: SocketAddr, source: io::Error },
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
            Self::Store(error) | Self::Copy(CopyError::Store(error)) => match error {
                StoreError::Damaged { .. } | StoreError::Foreign { .. } => 65,
                _ => 74,
            },
            Self::Copy(CopyError::Bad { .. }) => 65,
            Self::Copy(CopyError::Unreadable { .. }) => 66,
            Self::Listen { .. } => 69,
            Self::DataDir(DataDirError::Unwritable { .. })
            | Self::Control(ControlError::DataDir(DataDirError::Unwritable { .. }))
            | Self::Copy(CopyError::Unwritable { .. } | CopyError::Occupied { .. }) => 73,
            Self::System(_) | Self::Control(_) => 74,
            Self::DataDir(DataDirError::Locked { .. }) => 75,
            Self::Access(_) | Self::Extension(_) => 78,
        })
    }
}
