//! The list of tokens that a service on a host accepts. It lies where the service's
//! containers find it, whichever of them runs: going back to an earlier container brings
//! back no token that was revoked.

use rest::access::tokens::{MOST_BYTES, TokenList};

use super::container;
use crate::config::Service;
use crate::host::{Command, Host, HostError, quote};

fn folder(service: &Service) -> String {
    format!("/var/lib/eventpost/access/{}", container(service))
}

/// The list that a service on a host has; none where it has none.
pub async fn read_tokens(host: &Host, service: &Service) -> Result<Option<TokenList>, HostError> {
    const DOING: &str = "reading the list of tokens";
    let file = quote(&format!("{}/tokens", folder(service)));
    let line = format!("! [ -e {file} ] || head -c {} {file}", MOST_BYTES + 1);
    let command = Command::new(format!("sudo sh -c {}", quote(&line)));
    let text = host.run(DOING, command).await?.stdout;
    if text.is_empty() {
        return Ok(None);
    }
    let list = TokenList::parse(&text).map_err(|error| HostError::Broken {
        host: host.name().into(),
        doing: DOING,
        cause: error.to_string(),
    });
    list.map(Some)
}

/// Brings a list to a host, and has the service read it if it runs.
pub async fn write_tokens(
    host: &Host,
    service: &Service,
    list: &TokenList,
) -> Result<(), HostError> {
    let (folder, name) = (folder(service), container(service));
    let file = quote(&format!("{folder}/tokens"));
    // 65532 is whom the program in the container runs as.
    let line = format!(
        "umask 077 && mkdir -p {folder} && cat > {file}.part && chmod 0400 {file}.part && \
         chown 65532:65532 {file}.part {folder} && mv {file}.part {file} && \
         {{ docker kill -s HUP {name} >/dev/null 2>&1 || true; }}"
    );
    let command = Command::new(format!("sudo sh -c {}", quote(&line))).stdin(list.to_string());
    host.run("writing the list of tokens", command).await.map(drop)
}
