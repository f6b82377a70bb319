//! The list of tokens that a service on a host accepts. It lies where the service's
//! containers find it, whichever of them runs: going back to an earlier container brings
//! back no token that was revoked.

use rest::access::tokens::{MAX_LIST_BYTES, TokenList, TokenListError};
use ssh::{Command, Host, HostError, quote};
use support::digest::sha256;

use super::container;
use crate::config::Service;

fn folder(service: &Service) -> String {
    format!("/var/lib/eventpost/access/{}", container(service))
}

/// The list that a service on a host has, or what is wrong with it; none where it has none.
pub async fn read_tokens(
    host: &Host,
    service: &Service,
) -> Result<Option<Result<TokenList, TokenListError>>, HostError> {
    const DOING: &str = "reading the list of tokens";
    let file = quote(&format!("{}/tokens", folder(service)));
    let line = format!("! [ -e {file} ] || head -c {} {file}", MAX_LIST_BYTES + 1);
    let command = Command::new(format!("sudo sh -c {}", quote(&line)));
    let text = host.run(DOING, command).await?.stdout;
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(TokenList::parse(&text)))
}

/// Brings a list to a host, and has the service read it if it runs and is one of ours: others
/// may take the signal for something else.
pub async fn write_tokens(
    host: &Host,
    service: &Service,
    list: &TokenList,
) -> Result<(), HostError> {
    let (folder, name) = (folder(service), container(service));
    let file = quote(&format!("{folder}/tokens"));
    let text = list.to_string();
    // A connection that breaks ends the input early, and part of a list must not count. 65532
    // is whom the program in the container runs as. The signal is sent even where the list is
    // the same: an earlier run may have been cut off before it.
    let line = format!(
        "set -e; umask 077; mkdir -p {folder}; cat > {file}.part; \
         echo '{}  {file}.part' | sha256sum -c --status -; \
         chmod 0400 {file}.part; chown 65532:65532 {file}.part {folder}; \
         mv {file}.part {file}; \
         entry=$(docker inspect --format '{{{{join .Config.Entrypoint \" \"}}}}' {name} \
         2>/dev/null) || entry=; [ \"$entry\" != /service ] || \
         docker kill -s HUP {name} >/dev/null 2>&1 || true",
        sha256(&text)
    );
    let command = Command::new(format!("sudo sh -c {}", quote(&line))).stdin(text);
    host.run("writing the list of tokens", command).await.map(drop)
}
