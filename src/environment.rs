//! Decides which environment variables a child process gets from this process.

use std::ffi::OsString;
use std::process::Command;

/// Variables that hold credentials or say where they are. Only this process uses them.
pub const CREDENTIALS: [&str; 10] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    // The older name of the session token.
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    support::token::VARIABLE,
];

/// Those of them whose values are secret themselves.
pub const SECRETS: [&str; 5] = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    support::token::VARIABLE,
];

/// What a local service gets besides its `env:`. A container has little more than a PATH, so a
/// service that relied on other variables would work only here. PATH finds an interpreter,
/// TMPDIR and TZ describe this machine, programs that are not linked statically need the library
/// path, and the last two are for debugging. Others, such as HOME and the language, are left out
/// until a service needs them.
const FOR_SERVICES: [&str; 6] =
    ["PATH", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "RUST_LOG", "RUST_BACKTRACE"];

/// The variables of this process that a local service gets.
pub fn for_services() -> impl Iterator<Item = (&'static str, OsString)> {
    FOR_SERVICES.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

/// Removes credentials from what a command gets. Builds run code of many authors, and
/// `ssh` may be configured to send variables to hosts.
pub fn remove_credentials(command: &mut Command) {
    for name in CREDENTIALS {
        command.env_remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_loses_the_credentials_and_nothing_else() {
        let mut command = Command::new("true");
        command.env("AWS_SECRET_ACCESS_KEY", "secret").env("AWS_REGION", "eu-west-1");
        remove_credentials(&mut command);
        let set: Vec<_> = command.get_envs().filter(|(_, value)| value.is_some()).collect();
        assert_eq!(set, [("AWS_REGION".as_ref(), Some("eu-west-1".as_ref()))]);
        let removed = command.get_envs().filter(|(_, value)| value.is_none()).count();
        assert_eq!(removed, CREDENTIALS.len());
    }
}
