//! The commands that write files for other programs: `init`, `completions` and `man`.

use std::path::PathBuf;

use clap::Args;

use crate::config::Name;

/// `eventpost init`
#[derive(Debug, Args)]
pub struct Init {
    /// File to write; an existing file is never overwritten
    #[arg(value_name = "FILE", default_value = "eventpost.yml")]
    pub file: PathBuf,

    /// Name of the stack
    #[arg(long = "stack", value_name = "NAME")]
    pub name: Option<Name>,
}

/// `eventpost completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// Shell to generate completions for
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `eventpost man`
#[derive(Debug, Args)]
pub struct Man {
    /// Folder to write to
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}
