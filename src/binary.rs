//! Provides static programs, of services and for load tests: built from their packages by cargo,
//! or found beside this program if there are no sources.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use support::event::Reporter;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{ChildStderr, Command};

use crate::config::{Config, Service, Source};
use crate::environment;

/// The program that runs load tests on hosts.
pub const LOAD_TEST: &str = "eventpost-load";

/// Why a service has no program to run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BinaryError {
    /// The service comes as a container image.
    #[error(
        "services.{service}: is the image {image}, and --local runs programs: give the service \
         `build:` instead"
    )]
    IsImage {
        /// The service.
        service: String,
        /// Its image.
        image: String,
    },
    /// Neither sources nor a built program.
    #[error(
        "{wanted}: neither {manifest} nor a built program at {program} exists: run this in a \
         checkout, or put the program there"
    )]
    Missing {
        /// What needs the program.
        wanted: String,
        /// The manifest that was looked for.
        manifest: String,
        /// The program that was looked for.
        program: String,
    },
    /// Cargo could not be run.
    #[error("cargo, which builds {program}, cannot be run ({cause}): install Rust")]
    Cargo {
        /// The program.
        program: String,
        /// What the system said.
        cause: String,
    },
    /// The build failed.
    #[error("building {program} failed:\n{output}")]
    Build {
        /// The program.
        program: String,
        /// What cargo said.
        output: String,
    },
}

/// Where a program is to run, which decides how it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// On this machine: with the dependencies that a build of this program has compiled.
    Here,
    /// On hosts: a tenth smaller, for a minute more of building.
    Hosts,
}

/// Builds or finds the program of a service.
pub async fn provide(
    config: &Config,
    service: &Service,
    destination: Destination,
    reporter: Reporter<'_>,
) -> Result<PathBuf, BinaryError> {
    let folder = match &service.source {
        Source::Build(folder) => config.origin.base().join(folder),
        Source::Image(image) => {
            let (service, image) = (service.name.to_string(), image.clone());
            return Err(BinaryError::IsImage { service, image });
        }
    };
    // A package's program has the name of its folder.
    let program = folder.file_name().unwrap_or(service.name.as_str().as_ref());
    let wanted = format!("services.{}.build", service.name);
    build_or_find(&folder, program, wanted, destination, reporter).await
}

/// Builds or finds the program that runs load tests on hosts.
pub async fn provide_load_test(
    config: &Config,
    reporter: Reporter<'_>,
) -> Result<PathBuf, BinaryError> {
    let folder = config.origin.base().join("crates/loadtest");
    // It is removed after the test, and its speed matters more than its size.
    let (wanted, destination) = ("--from host".into(), Destination::Here);
    build_or_find(&folder, LOAD_TEST.as_ref(), wanted, destination, reporter).await
}

async fn build_or_find(
    folder: &Path,
    program: &OsStr,
    wanted: String,
    destination: Destination,
    reporter: Reporter<'_>,
) -> Result<PathBuf, BinaryError> {
    let manifest = folder.join("Cargo.toml");
    if manifest.is_file() {
        return build(&manifest, program, destination, reporter).await;
    }
    let beside = std::env::current_exe().unwrap_or_default().with_file_name(program);
    if beside.is_file() {
        return Ok(beside);
    }
    Err(BinaryError::Missing {
        wanted,
        manifest: manifest.display().to_string(),
        program: beside.display().to_string(),
    })
}

async fn build(
    manifest: &Path,
    program: &OsStr,
    destination: Destination,
    reporter: Reporter<'_>,
) -> Result<PathBuf, BinaryError> {
    let name = program.to_string_lossy().into_owned();
    let cargo = |error: std::io::Error| BinaryError::Cargo {
        program: name.clone(),
        cause: error.to_string(),
    };
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(["rustc", "--message-format", "json-render-diagnostics", "--manifest-path"]);
    command.arg(manifest).arg("--bin").arg(program);
    environment::remove_credentials(command.as_std_mut());
    // With the profile of this program, a checkout compiles its dependencies once.
    if !cfg!(debug_assertions) {
        command.arg("--release");
        if destination == Destination::Hosts {
            // On the command line, since the package may be of a workspace of its own.
            command.args(["--config", "profile.release.lto=\"fat\""]);
        }
    }
    // The same program runs here and in a container that holds nothing else. Only the
    // last link differs for it, so that dependencies are shared with other builds.
    let strip = if cfg!(debug_assertions) { "strip=debuginfo" } else { "strip=symbols" };
    command.args(["--", "-C", "target-feature=+crt-static", "-C", strip]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(cargo)?;
    let (mut stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut messages = String::new();
    let read_messages = async {
        match &mut stdout {
            Some(stdout) => stdout.read_to_string(&mut messages).await.map(drop),
            None => Ok(()),
        }
    };
    let (output, read) = tokio::join!(follow(stderr, reporter), read_messages);
    read.map_err(cargo)?;
    let status = child.wait().await.map_err(cargo)?;
    match executable(&messages) {
        Some(program) if status.success() => Ok(program),
        Some(_) | None if !status.success() => Err(BinaryError::Build { program: name, output }),
        _ => Err(BinaryError::Build {
            program: name,
            output: format!("{} has no program (a [[bin]] target)", manifest.display()),
        }),
    }
}

/// Reports each line that cargo prints, and returns all of them.
async fn follow(stderr: Option<ChildStderr>, reporter: Reporter<'_>) -> String {
    let mut output = String::new();
    let Some(stderr) = stderr else { return output };
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        reporter.detail(format!("building: {}", line.trim()));
        output.push_str(&line);
        output.push('\n');
    }
    output
}

/// The last program that cargo's messages name.
fn executable(messages: &str) -> Option<PathBuf> {
    let programs = messages.lines().rev().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    programs.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_read_from_cargo_s_messages() {
        let messages = "\
{\"reason\":\"compiler-artifact\",\"target\":{\"kind\":[\"lib\"]},\"executable\":null}
{\"reason\":\"compiler-artifact\",\"target\":{\"kind\":[\"bin\"]},\"executable\":\"/t/events\"}
{\"reason\":\"build-finished\",\"success\":true}
";
        assert_eq!(executable(messages), Some("/t/events".into()));
        assert_eq!(executable("{\"reason\":\"build-finished\",\"success\":true}"), None);
    }
}
