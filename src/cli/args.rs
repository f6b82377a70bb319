//! The arguments that several commands share.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::config::Name;

/// The stack that a command is about.
#[derive(Debug, Clone, Args)]
pub struct StackArgs {
    /// File that describes the stack
    #[arg(
        short,
        long,
        value_name = "FILE",
        help = "File that describes the stack [default: eventpost.yml if it exists, else the \
        built-in one]"
    )]
    pub file: Option<PathBuf>,

    /// Use NAME instead of the file's stack name, to run the same stack a second time
    #[arg(long = "stack", value_name = "NAME")]
    pub name: Option<Name>,

    /// Folder for local data, logs, keys and access tokens
    #[arg(
        long,
        value_name = "DIR",
        help = "Folder for local data, logs, keys and access tokens [default: \
        $XDG_STATE_HOME/eventpost or ~/.local/state/eventpost]"
    )]
    pub state_dir: Option<PathBuf>,

    /// Use the credentials of this profile of AWS's configuration, and its region if neither the file
    /// nor `AWS_REGION` names one
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

/// The access token that a command sends.
#[derive(Debug, Clone, Default, Args)]
pub struct TokenArgs {
    /// File that holds the access token to send [default: the variable `EVENTPOST_TOKEN`, else
    /// the stack's own token in the state folder]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Where the stack of a command lives.
#[derive(Debug, Clone, Default, Args)]
pub struct PlacementArgs {
    /// Use the processes of this machine instead of EC2
    #[arg(long, conflicts_with = "hosts")]
    pub local: bool,

    /// Use these hosts instead of EC2, as in events=10.0.0.1,notifications=10.0.0.2
    #[arg(long, value_name = "SERVICE=ADDRESS,…", value_delimiter = ',')]
    pub hosts: Vec<HostAddress>,
}

/// Where the stack of a command lives that is about hosts alone.
#[derive(Debug, Clone, Default, Args)]
pub struct HostsArgs {
    /// Use these hosts instead of EC2, as in events=10.0.0.1,notifications=10.0.0.2
    #[arg(long, value_name = "SERVICE=ADDRESS,…", value_delimiter = ',')]
    pub hosts: Vec<HostAddress>,
}

impl From<&HostsArgs> for PlacementArgs {
    fn from(args: &HostsArgs) -> Self {
        Self { local: false, hosts: args.hosts.clone() }
    }
}

/// How a command prints its result.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Format of the result on standard output
    #[arg(long = "output", value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub format: Output,
}

/// `SERVICE=ADDRESS` on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAddress {
    /// The service.
    pub service: String,
    /// The address of its host.
    pub address: IpAddr,
}

impl FromStr for HostAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = text.split_once('=').and_then(|(service, address)| {
            Some(Self { service: service.into(), address: address.parse().ok()? })
        });
        pair.ok_or_else(|| {
            format!("`{text}` must be a service and an IP address, as in events=203.0.113.10")
        })
    }
}

/// The format of a command's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table
    Text,
    /// One JSON document
    Json,
}
