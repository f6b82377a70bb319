//! The list of tokens that a service on a host accepts. All containers of the service read the
//! same file, so that going back to an earlier one brings back no token that was revoked.

use rest::access::tokens::{MAX_LIST_BYTES, TokenList, TokenListError};
use ssh::{Command, Host, HostError, quote};

use super::container;
use super::files::{self, Reader};
use crate::config::Service;

fn folder(service: &Service) -> String {
    format!("/var/lib/eventpost/access/{}", container(service))
}

/// The list of a service on a host, or what is wrong with it; `None` if there is none.
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

/// Writes a list on a host, and has the service read it if it is one of ours: SIGHUP may mean
/// something else to others.
pub async fn write_tokens(
    host: &Host,
    service: &Service,
    list: &TokenList,
) -> Result<(), HostError> {
    const DOING: &str = "writing the list of tokens";
    let file = format!("{}/tokens", folder(service));
    host.run(DOING, files::write(&file, Reader::Service, list.to_string())).await?;
    let name = container(service);
    // It is sent even if the list is the same: an earlier run may have been cut off before it.
    let line = format!(
        "entry=$(docker inspect --format '{{{{join .Config.Entrypoint \" \"}}}}' {name} \
         2>/dev/null) || entry=; [ \"$entry\" != /service ] || \
         docker kill -s HUP {name} >/dev/null 2>&1 || true",
    );
    let command = Command::new(format!("sudo sh -c {}", quote(&line)));
    host.run(DOING, command).await.map(drop)
}
