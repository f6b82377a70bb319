//! The token that commands send, and the list of tokens that they bring to services.

use futures_util::future::try_join_all;
use rest::access::tokens::{TokenList, TokenListError};
use ssh::Host;
use support::event::Reporter;
use support::http::Endpoint;

use crate::access::{AccessError, Keyring, OPERATOR, Token, agree};
use crate::cli;
use crate::config::{Access, Config, Placement, Service};
use crate::docker;
use crate::error::Error;
use crate::local::StackFolder;

/// What the command line says of the stack, and of the token to send.
type Arguments<'a> = (&'a cli::Stack, &'a cli::TokenArgs);

/// The tokens of a stack that is being changed.
#[derive(Debug)]
pub(super) struct Grants {
    /// What services are to accept; none where access is open.
    pub(super) list: Option<TokenList>,
    /// What this command sends.
    pub(super) token: Option<Token>,
    keyring: Keyring,
}

/// The token that this user sends: the one that was given, or the stack's own.
pub(super) fn token(
    config: &Config,
    (stack, token): Arguments<'_>,
) -> Result<Option<Token>, Error> {
    let given = given(token)?;
    if given.is_some() {
        return Ok(given);
    }
    Ok(keyring(config, stack)?.own()?)
}

/// The files of the stack's tokens.
fn keyring(config: &Config, stack: &cli::Stack) -> Result<Keyring, Error> {
    let folder = StackFolder::new(stack.state_dir.as_deref(), &config.stack)?;
    Ok(Keyring::beside(&folder.key()))
}

/// The token for services of this machine; none where access is open.
pub(super) fn token_for_local(
    config: &Config,
    arguments: Arguments<'_>,
) -> Result<Option<Token>, Error> {
    match config.access_at(Placement::Local(keyring(config, arguments.0)?.path())) {
        Access::Open => Ok(None),
        Access::Tokens => token(config, arguments),
    }
}

/// The token for services on hosts; none where access is open.
pub(super) fn token_for_hosts(
    config: &Config,
    arguments: Arguments<'_>,
) -> Result<Option<Token>, Error> {
    match config.access_at(Placement::Hosts) {
        Access::Open => Ok(None),
        Access::Tokens => token(config, arguments),
    }
}

/// The token that was given to this command.
pub(super) fn given(token: &cli::TokenArgs) -> Result<Option<Token>, AccessError> {
    match &token.token_file {
        Some(file) => Ok(Some(Token::read(file)?)),
        None => Ok(Token::of_environment()?),
    }
}

/// Fails where a token was given and others could read it on its way.
pub(super) fn check_way(endpoint: &Endpoint, given: Option<&Token>) -> Result<(), Error> {
    if given.is_none() || endpoint.is_local() {
        return Ok(());
    }
    Err(Error::Request(format!(
        "the access token is not sent to {endpoint}, since the connection is not encrypted: leave \
         out --url, and it goes through SSH"
    )))
}

/// What local services are to accept: a first token is made where there is none.
pub(super) fn for_local(
    config: &Config,
    (stack, token): Arguments<'_>,
    reporter: Reporter<'_>,
) -> Result<Grants, Error> {
    let keyring = keyring(config, stack)?;
    let access = config.access_at(Placement::Local(keyring.path()));
    Grants::new(access, keyring, token, true, reporter)
}

/// What services on hosts are to accept, as this machine and the hosts have it. With
/// `own`, this user gets a token where there is none yet.
pub(super) async fn for_hosts(
    config: &Config,
    (stack, token): Arguments<'_>,
    hosts: &[(&Host, &Service)],
    own: bool,
    reporter: Reporter<'_>,
) -> Result<Grants, Error> {
    let keyring = keyring(config, stack)?;
    let access = config.access_at(Placement::Hosts);
    if access == Access::Tokens {
        let here = keyring.list()?;
        let read = hosts.iter().map(async |(host, service)| {
            let list = docker::read_tokens(host, service).await?;
            usable(host, list, here.is_some(), reporter)
        });
        let there: Vec<_> = try_join_all(read).await?.into_iter().flatten().collect();
        let agreed = agree(here.as_ref(), keyring.path(), &keyring.known()?, &there)?;
        if let Some(list) = agreed.filter(|list| here.as_ref() != Some(list)) {
            if let Some(here) = &here {
                reporter.warning(difference(here, &list));
            }
            keyring.save(&list)?;
            keyring.set_deployed(&list)?;
        }
    }
    Grants::new(access, keyring, token, own, reporter)
}

/// A host's list, unless it is broken and this machine has one to put in its place.
fn usable(
    host: &Host,
    list: Option<Result<TokenList, TokenListError>>,
    has_own: bool,
    reporter: Reporter<'_>,
) -> Result<Option<(String, TokenList)>, Error> {
    match list {
        None => Ok(None),
        Some(Ok(list)) => Ok(Some((host.name().to_owned(), list))),
        Some(Err(error)) if has_own => {
            reporter.warning(format!(
                "the list of tokens on {} is broken ({error}) and is replaced",
                host.name()
            ));
            Ok(None)
        }
        Some(Err(source)) => {
            let origin = format!("the list of tokens on {}", host.name());
            Err(AccessError::Invalid { origin, source }.into())
        }
    }
}

/// What is taken over from the hosts, for people to see who got in and who did not.
fn difference(here: &TokenList, there: &TokenList) -> String {
    let only = |a: &TokenList, b: &TokenList| {
        let entries = a.entries().iter().filter(|entry| !b.entries().contains(entry));
        let names = entries.map(|entry| format!("`{}` ({})", entry.name, entry.role));
        let names: Vec<_> = names.collect();
        if names.is_empty() { "none".into() } else { names.join(", ") }
    };
    format!(
        "took over the list of tokens that the hosts have; new: {}; gone: {}",
        only(there, here),
        only(here, there)
    )
}

impl Grants {
    fn new(
        access: Access,
        keyring: Keyring,
        token: &cli::TokenArgs,
        own: bool,
        reporter: Reporter<'_>,
    ) -> Result<Self, Error> {
        if access == Access::Open {
            return Ok(Self { list: None, token: None, keyring });
        }
        let given = given(token)?;
        let is_new = keyring.list()?.is_none();
        if let Some(token) = given.as_ref().filter(|_| is_new) {
            keyring.adopt(OPERATOR, token)?;
            reporter.done(format!("the given access token is now `{OPERATOR}` (admin)"));
        } else if given.is_none() && (own || is_new || keyring.own()?.is_some()) {
            // Whoever changes the stack may log in to its hosts, and so may make tokens.
            if let Some(name) = keyring.ensure_own()? {
                let path = keyring.own_path().display();
                let made = format!("made the access token `{name}` (admin), kept in {path}");
                reporter.done(made);
            }
        }
        let token = match given {
            Some(token) => Some(token),
            None => keyring.own()?,
        };
        let list = keyring.list()?;
        if let Some(list) = &list {
            keyring.will_deploy(list)?;
        }
        Ok(Self { list, token, keyring })
    }

    /// What services are to accept, and what seeds them.
    pub(super) fn tokens(&self) -> Option<(&TokenList, Option<&Token>)> {
        Some((self.list.as_ref()?, self.token.as_ref()))
    }

    /// Brings the list to a service on a host.
    pub(super) async fn write(&self, host: &Host, service: &Service) -> Result<(), Error> {
        let Some(list) = &self.list else { return Ok(()) };
        Ok(docker::write_tokens(host, service, list).await?)
    }

    /// Notes that all hosts have the list.
    pub(super) fn are_deployed(&self) -> Result<(), Error> {
        let Some(list) = &self.list else { return Ok(()) };
        Ok(self.keyring.set_deployed(list)?)
    }
}
