//! `eventpost ssh SERVICE`: a shell on a service's host by the system's `ssh`, which gets the
//! host key to expect.

use std::fmt::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use rest::file::replace_file;
use ssh::{Target, Trust};

use crate::cli::Ssh;
use crate::environment;
use crate::error::Error;
use crate::local::{LocalError, StackFolder};
use crate::session::{Connection, Session};

pub(crate) async fn run(args: &Ssh) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &(&args.hosts).into())?;
    let found = session.inspect(async {
        let found = session.service_host(&args.service).await?;
        // Its errors explain what is wrong with the host or its key better than those of ssh.
        drop(Connection::open_silently(&found).await?);
        Ok::<_, Error>(found)
    });
    let found = found.await?;
    let known_hosts = known_hosts(&session.folder, &found.target)?;
    let mut ssh = Command::new("ssh");
    environment::remove_credentials(&mut ssh);
    ssh.arg("-i").arg(session.key_path());
    ssh.args(["-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o"]);
    ssh.arg(format!("UserKnownHostsFile={}", known_hosts.display()));
    ssh.args(["-p", &found.target.address.port().to_string(), "--"]);
    ssh.arg(format!("{}@{}", found.target.user, found.target.address.ip()));
    session.close();
    // Returns only if it fails.
    let error = ssh.exec();
    Err(Error::Failed(format!("ssh cannot be run ({error}): install OpenSSH's client")))
}

/// A file with the keys of an instance alone; for an existing host, the user's own file.
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
