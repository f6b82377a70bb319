//! `eventpost ssh SERVICE`: a shell on a service's host, by the system's own `ssh`, which
//! is told which host key to expect.

use std::fmt::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use rest::file::replace_file;
use ssh::{Target, Trust};

use super::{connect, host_of};
use crate::cli::Ssh;
use crate::commands::hosts;
use crate::config::{self, Config};
use crate::environment;
use crate::error::Error;
use crate::local::{LocalError, StackFolder};

pub(crate) async fn run(args: &Ssh) -> Result<ExitCode, Error> {
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    let found = host_of(&config, &args.stack, &args.hosts.named, &args.service).await?;
    // What is wrong with the host or its key is said better here than by ssh.
    drop(connect(&found).await?);
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let known_hosts = known_hosts(&stack, &found.target)?;
    let mut ssh = Command::new("ssh");
    environment::remove_credentials(&mut ssh);
    ssh.arg("-i").arg(hosts::key_path(&config, &stack));
    ssh.args(["-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o"]);
    ssh.arg(format!("UserKnownHostsFile={}", known_hosts.display()));
    ssh.args(["-p", &found.target.address.port().to_string(), "--"]);
    ssh.arg(destination(&config, &found.target));
    // Only a failure comes back.
    let error = ssh.exec();
    Err(Error::NotRunning(format!("ssh cannot be run ({error}): install OpenSSH's client")))
}

fn destination(config: &Config, target: &Target) -> String {
    format!("{}@{}", config.ssh.user, target.address.ip())
}

/// A file with the host's keys and no others; of a host that this user knows, the user's
/// own.
fn known_hosts(stack: &StackFolder, target: &Target) -> Result<PathBuf, Error> {
    let keys = match &target.trust {
        Trust::KnownHosts(file) => return Ok(file.clone()),
        Trust::Keys(keys) => keys,
    };
    let mut text = String::new();
    for key in keys {
        let _ = writeln!(text, "{} ssh-ed25519 {key}", target.address.ip());
    }
    let file = stack.path().join("known_hosts");
    stack.create()?;
    replace_file(&file, 0o600, text)
        .map_err(|source| LocalError::Io { path: file.clone(), source })?;
    Ok(file)
}
