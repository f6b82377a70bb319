//! The token that commands send, and the list of tokens that they bring to services.

use futures_util::future::try_join_all;
use rest::access::tokens::TokenList;

use crate::access::{AccessError, Keyring, OPERATOR, Token, agree};
use crate::cli;
use crate::config::{Access, Config, Place, Service};
use crate::docker;
use crate::error::Error;
use crate::event::Reporter;
use crate::host::Host;
use crate::local::StackFolder;

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
pub(super) fn token(config: &Config, stack: &cli::Stack) -> Result<Option<Token>, Error> {
    let given = given(stack)?;
    if given.is_some() {
        return Ok(given);
    }
    let folder = StackFolder::new(stack.state_dir.as_deref(), &config.stack)?;
    Ok(Keyring::new(&folder).own()?)
}

/// The token for services of this machine; none where access is open.
pub(super) fn token_for_local(config: &Config, stack: &cli::Stack) -> Result<Option<Token>, Error> {
    let folder = StackFolder::new(stack.state_dir.as_deref(), &config.stack)?;
    match config.access_at(Place::Local(Keyring::new(&folder).path())) {
        Access::Open => Ok(None),
        Access::Tokens => token(config, stack),
    }
}

/// The token for services on hosts; none where access is open.
pub(super) fn token_for_hosts(config: &Config, stack: &cli::Stack) -> Result<Option<Token>, Error> {
    match config.access_at(Place::Hosts) {
        Access::Open => Ok(None),
        Access::Tokens => token(config, stack),
    }
}

/// The token that was given to this command.
pub(super) fn given(stack: &cli::Stack) -> Result<Option<Token>, AccessError> {
    match &stack.token_file {
        Some(file) => Token::read(file).map(Some),
        None => Token::of_environment(),
    }
}

/// What local services are to accept: a first token is made where there is none.
pub(super) fn for_local(
    config: &Config,
    stack: &cli::Stack,
    folder: &StackFolder,
    reporter: Reporter<'_>,
) -> Result<Grants, Error> {
    let keyring = Keyring::new(folder);
    let access = config.access_at(Place::Local(keyring.path()));
    Grants::new(access, keyring, stack, true, reporter)
}

/// What services on hosts are to accept, as this machine and the hosts have it. With
/// `own`, this user gets a token where there is none yet.
pub(super) async fn for_hosts(
    config: &Config,
    stack: &cli::Stack,
    hosts: &[(&Host, &Service)],
    own: bool,
    reporter: Reporter<'_>,
) -> Result<Grants, Error> {
    let folder = StackFolder::new(stack.state_dir.as_deref(), &config.stack)?;
    let keyring = Keyring::new(&folder);
    let access = config.access_at(Place::Hosts);
    if access == Access::Tokens {
        let read = hosts.iter().map(async |(host, service)| {
            let list = docker::read_tokens(host, service).await?;
            Ok::<_, Error>(list.map(|list| (host.name().to_owned(), list)))
        });
        let there: Vec<_> = try_join_all(read).await?.into_iter().flatten().collect();
        let (here, deployed) = (keyring.list()?, keyring.deployed()?);
        let agreed = agree(here.as_ref(), keyring.path(), deployed, &there)?;
        if let Some(list) = agreed.filter(|list| here.as_ref() != Some(list)) {
            keyring.save(&list)?;
            keyring.set_deployed(&list)?;
        }
    }
    Grants::new(access, keyring, stack, own, reporter)
}

impl Grants {
    fn new(
        access: Access,
        keyring: Keyring,
        stack: &cli::Stack,
        own: bool,
        reporter: Reporter<'_>,
    ) -> Result<Self, Error> {
        if access == Access::Open {
            return Ok(Self { list: None, token: None, keyring });
        }
        let given = given(stack)?;
        let is_new = keyring.list()?.is_none();
        match &given {
            Some(token) if is_new => keyring.adopt(OPERATOR, token)?,
            None if own || is_new => {
                if let Some(name) = keyring.ensure_own()? {
                    let path = keyring.own_path().display();
                    reporter.done(format!(
                        "made the access token `{name}` (admin), which is kept in {path}"
                    ));
                }
            }
            _ => {}
        }
        let token = match given {
            Some(token) => Some(token),
            None => keyring.own()?,
        };
        Ok(Self { list: keyring.list()?, token, keyring })
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
