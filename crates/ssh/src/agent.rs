//! The user's SSH agent, which `SSH_AUTH_SOCK` names: it signs with keys that it does not show.

use ssh_key::PublicKey;
use ssh2::{Agent, PublicKey as AgentKey, Session};

/// Whether an agent has the private half of a key.
pub(super) fn has(key: &PublicKey) -> bool {
    std::env::var_os("SSH_AUTH_SOCK").is_some()
        && Session::new().is_ok_and(|session| find(&session, key).is_ok())
}

/// Logs in by a key that the agent has.
pub(super) fn log_in(session: &Session, user: &str, key: &PublicKey) -> Result<(), String> {
    let (agent, found) = find(session, key)?;
    agent.userauth(user, &found).map_err(|error| error.message().to_owned())
}

/// The agent, and the key as it has it.
fn find(session: &Session, key: &PublicKey) -> Result<(Agent, AgentKey), String> {
    let failed = |error: ssh2::Error| error.message().to_owned();
    let blob = key.to_bytes().map_err(|error| error.to_string())?;
    let mut agent = session.agent().map_err(failed)?;
    agent.connect().map_err(failed)?;
    agent.list_identities().map_err(failed)?;
    let mut keys = agent.identities().map_err(failed)?.into_iter();
    let found = keys.find(|it| it.blob() == blob).ok_or("the agent does not have the key")?;
    Ok((agent, found))
}
