//! The user's SSH agent, which `SSH_AUTH_SOCK` names: it signs with keys that it does not show.

use ssh_key::PublicKey;
use ssh2::Session;

/// Whether an agent has the private half of a key.
pub(super) fn has(key: &PublicKey) -> bool {
    let Some(blob) = blob(key) else { return false };
    if std::env::var_os("SSH_AUTH_SOCK").is_none() {
        return false;
    }
    let found = || {
        let mut agent = Session::new()?.agent()?;
        agent.connect()?;
        agent.list_identities()?;
        Ok::<_, ssh2::Error>(agent.identities()?.iter().any(|it| it.blob() == blob))
    };
    found().unwrap_or(false)
}

/// Logs in by a key that the agent has.
pub(super) fn log_in(session: &Session, user: &str, key: &PublicKey) -> Result<(), String> {
    let blob = blob(key).ok_or("the key cannot be encoded")?;
    let failed = |error: ssh2::Error| error.message().to_owned();
    let mut agent = session.agent().map_err(failed)?;
    agent.connect().map_err(failed)?;
    agent.list_identities().map_err(failed)?;
    let identities = agent.identities().map_err(failed)?;
    let identity = identities.iter().find(|it| it.blob() == blob);
    let identity = identity.ok_or("the agent does not have the key any more")?;
    agent.userauth(user, identity).map_err(failed)
}

fn blob(key: &PublicKey) -> Option<Vec<u8>> {
    key.to_bytes().ok()
}
