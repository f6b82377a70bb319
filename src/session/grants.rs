//! The access tokens of a stack: which list its services get, and the token that this command
//! sends.

use futures_util::future::try_join_all;
use rest::access::tokens::{TokenList, TokenListError};
use ssh::Host;
use support::event::Reporter;
use support::http::Endpoint;

use super::Session;
use crate::access::{AccessError, Keyring, ListChange, OPERATOR, Token, list_change, reconcile};
use crate::cli::TokenArgs;
use crate::config::{Access, Service};
use crate::docker;
use crate::error::Error;

/// The tokens of a stack that is being changed.
#[derive(Debug)]
pub(crate) struct Grants {
    /// The list that services get.
    pub(crate) tokens: HostTokens,
    /// The token that this command sends.
    pub(crate) token: Option<Token>,
    keyring: Keyring,
}

/// The list of tokens that the services of a stack should have, and those that hosts have.
#[derive(Debug)]
pub(crate) struct HostTokens {
    /// `None` if access is open, or there is no list yet.
    list: Option<TokenList>,
    /// The valid lists of hosts, by the host's name.
    on_hosts: Vec<(String, TokenList)>,
    /// Whether the command that is planned changes the list before services get it.
    changes: bool,
}

impl HostTokens {
    fn none() -> Self {
        Self { list: None, on_hosts: Vec::new(), changes: false }
    }

    /// Whether a host has the list, or needs none.
    pub(crate) fn are_on(&self, host: &Host) -> bool {
        let Some(list) = &self.list else { return !self.changes };
        !self.changes
            && self.on_hosts.iter().any(|(name, there)| name == host.name() && there == list)
    }
}

/// The token that the user gave to this command.
pub(crate) fn given_token(args: &TokenArgs) -> Result<Option<Token>, AccessError> {
    match &args.token_file {
        Some(file) => Ok(Some(Token::read(file)?)),
        None => Ok(Token::from_env()?),
    }
}

/// Fails if a token was given that others could read on its way to the endpoint.
pub(crate) fn refuse_unencrypted(endpoint: &Endpoint, given: Option<&Token>) -> Result<(), Error> {
    if given.is_none() || endpoint.is_local() {
        return Ok(());
    }
    Err(Error::Request(format!(
        "the access token is not sent to {endpoint}, because the connection is not encrypted: \
         leave out --url, so that it is sent through SSH"
    )))
}

impl Session {
    /// The tokens of local services. The first token is created if there is none.
    pub(crate) fn local_grants(&self, args: &TokenArgs) -> Result<Grants, Error> {
        self.ensure_reminder_key()?;
        Grants::new(self.access(), self.keyring(), args, true, Vec::new(), self.reporter("access"))
    }

    /// Fails if this machine's list and the given token do not go together.
    pub(crate) fn check_token(&self, args: &TokenArgs) -> Result<(), Error> {
        if self.access() == Access::Tokens {
            self.changes_tokens(self.keyring().list()?.as_ref(), args, true)?;
        }
        Ok(())
    }

    /// Whether [`local_grants`](Self::local_grants) would change the list of tokens.
    pub(crate) fn changes_local_tokens(&self, args: &TokenArgs) -> Result<bool, Error> {
        let list = self.keyring().list()?;
        Ok(self.access() == Access::Tokens && self.changes_tokens(list.as_ref(), args, true)?)
    }

    fn changes_tokens(
        &self,
        list: Option<&TokenList>,
        args: &TokenArgs,
        ensure: bool,
    ) -> Result<bool, Error> {
        let (own, given) = (self.keyring().own()?, given_token(args)?);
        Ok(list_change(list, own.as_ref(), given.as_ref(), ensure)? != ListChange::None)
    }

    /// The tokens of services on hosts: the newest of the lists that this machine and the hosts
    /// have. With `ensure`, this user gets a token if they have none.
    pub(crate) async fn host_grants(
        &self,
        args: &TokenArgs,
        hosts: &[(&Host, &Service)],
        ensure: bool,
    ) -> Result<Grants, Error> {
        let tokens = self.agreed_tokens(hosts).await?;
        self.grant(args, tokens, ensure)
    }

    /// The same, for tokens that were planned.
    pub(crate) fn grant(
        &self,
        args: &TokenArgs,
        tokens: HostTokens,
        ensure: bool,
    ) -> Result<Grants, Error> {
        self.ensure_reminder_key()?;
        let (keyring, reporter) = (self.keyring(), self.reporter("access"));
        let HostTokens { list: agreed, on_hosts, .. } = tokens;
        if let Some(list) = agreed {
            let here = keyring.list()?;
            if here.as_ref() != Some(&list) {
                if let Some(here) = &here {
                    reporter.warning(difference(here, &list));
                }
                keyring.save(&list)?;
                keyring.set_deployed(&list)?;
            }
        }
        Grants::new(self.access(), keyring, args, ensure, on_hosts, reporter)
    }

    /// The tokens that [`host_grants`](Self::host_grants) would give to services, without changing
    /// anything.
    pub(crate) async fn planned_tokens(
        &self,
        args: &TokenArgs,
        hosts: &[(&Host, &Service)],
        ensure: bool,
    ) -> Result<HostTokens, Error> {
        let tokens = self.agreed_tokens(hosts).await?;
        let changes = self.access() == Access::Tokens
            && self.changes_tokens(tokens.list.as_ref(), args, ensure)?;
        Ok(HostTokens { changes, ..tokens })
    }

    /// The newest list of tokens that this machine and the hosts have.
    async fn agreed_tokens(&self, hosts: &[(&Host, &Service)]) -> Result<HostTokens, Error> {
        self.adopt_reminder_key(hosts).await?;
        if self.access() == Access::Open {
            return Ok(HostTokens::none());
        }
        let (keyring, reporter) = (self.keyring(), self.reporter("access"));
        let here = keyring.list()?;
        let read = hosts.iter().map(async |(host, service)| {
            let list = docker::read_tokens(host, service).await?;
            usable(host, list, here.is_some(), reporter)
        });
        let on_hosts: Vec<_> = try_join_all(read).await?.into_iter().flatten().collect();
        let list = reconcile(here.as_ref(), keyring.path(), &keyring.known()?, &on_hosts)?;
        Ok(HostTokens { list: list.or(here), on_hosts, changes: false })
    }
}

/// A host's list, unless it is broken and this machine has one to replace it with.
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
                "the list of tokens on {} is broken ({error}); the next `eventpost up` or `eventpost \
                 deploy` replaces it with the one of this machine",
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

/// Which tokens the list of the hosts adds and removes.
fn difference(here: &TokenList, there: &TokenList) -> String {
    let only = |a: &TokenList, b: &TokenList| {
        let entries = a.entries().iter().filter(|entry| !b.entries().contains(entry));
        let names = entries.map(|entry| format!("`{}` ({})", entry.name, entry.role));
        let names: Vec<_> = names.collect();
        if names.is_empty() { "none".into() } else { names.join(", ") }
    };
    format!(
        "adopted the list of tokens that the hosts have; added: {}; removed: {}",
        only(there, here),
        only(here, there)
    )
}

impl Grants {
    fn new(
        access: Access,
        keyring: Keyring,
        args: &TokenArgs,
        ensure: bool,
        on_hosts: Vec<(String, TokenList)>,
        reporter: Reporter<'_>,
    ) -> Result<Self, Error> {
        if access == Access::Open {
            return Ok(Self { tokens: HostTokens::none(), token: None, keyring });
        }
        let given = given_token(args)?;
        let (list, own) = (keyring.list()?, keyring.own()?);
        match list_change(list.as_ref(), own.as_ref(), given.as_ref(), ensure)? {
            ListChange::None => {}
            ListChange::Adopt => {
                if let Some(token) = &given {
                    keyring.adopt(OPERATOR, token)?;
                    reporter.done(format!("the given access token is now `{OPERATOR}` (admin)"));
                }
            }
            ListChange::Create => {
                let (name, path) = (keyring.create_own()?, keyring.own_path().display());
                reporter.done(format!("created the access token `{name}` (admin) in {path}"));
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
        let tokens = HostTokens { list, on_hosts, changes: false };
        Ok(Self { tokens, token, keyring })
    }

    /// The list that services get and the token that seeds them.
    pub(crate) fn list_and_token(&self) -> Option<(&TokenList, Option<&Token>)> {
        Some((self.tokens.list.as_ref()?, self.token.as_ref()))
    }

    /// Writes the list to a service's host.
    pub(crate) async fn write(&self, host: &Host, service: &Service) -> Result<(), Error> {
        let Some(list) = &self.tokens.list else { return Ok(()) };
        Ok(docker::write_tokens(host, service, list).await?)
    }

    /// Records that all hosts have the list.
    pub(crate) fn are_deployed(&self) -> Result<(), Error> {
        let Some(list) = &self.tokens.list else { return Ok(()) };
        Ok(self.keyring.set_deployed(list)?)
    }
}
