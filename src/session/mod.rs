//! What a command works with: the configuration, where the stack lives, the display, signals
//! and the lock. A command opens one session and then reads as its pipeline.

mod confirm;
mod connection;
mod grants;
mod identity;
mod locate;
mod passphrase;
mod placement;
mod reminder_key;

use std::sync::OnceLock;
use std::time::Duration;

use ec2::{Account, Ec2, Ec2Error};
use futures_util::future::try_join_all;
use ssh::Identity;
use support::event::{EventSink, Reporter};
use support::wait::Deadline;
use tokio::sync::OnceCell;

use crate::access::{Keyring, Token};
use crate::cli::{Output, PlacementArgs, StackArgs, TokenArgs};
use crate::config::{self, Access, Config, PublicAddress};
use crate::error::Error;
use crate::local::StackFolder;
use crate::lock::LockStore;
use crate::progress;
use crate::report::{self, Table};
use crate::signals::Signals;

pub(crate) use connection::Connection;
pub(crate) use grants::{Grants, HostTokens, given_token, refuse_unencrypted};
pub(crate) use identity::{existing_target, instance_target};
pub(crate) use locate::{ServiceHost, ServiceLocation, url_of, urls};
pub(crate) use placement::Placement;

/// An existing host answers at once.
const LOCK_CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// What an interrupt leaves of a command that has not changed anything yet.
pub(crate) const NOTHING_CHANGED: &str = "nothing was changed";

/// What a command works with.
pub(crate) struct Session {
    /// The stack's description.
    pub(crate) config: Config,
    /// Where the stack lives.
    pub(crate) placement: Placement,
    /// The stack's files on this machine.
    pub(crate) folder: StackFolder,
    /// The profile of AWS's configuration to use.
    profile: Option<String>,
    /// The key that logs in, once it has been read: a passphrase is asked for once.
    identity: OnceLock<Identity>,
    signals: Signals,
    display: Box<dyn EventSink>,
    ec2: OnceCell<Ec2>,
}

impl Session {
    /// Loads the stack's description and resolves its placement.
    pub(crate) fn open(stack: &StackArgs, placement: &PlacementArgs) -> Result<Self, Error> {
        let signals = Signals::listen()?;
        let mut config = config::load(stack.file.as_deref(), stack.name.as_ref())?;
        let placement = Placement::resolve(placement, &config)?;
        let folder = StackFolder::new(stack.state_dir.as_deref(), &config.stack)?;
        config.use_reminder_key(Keyring::beside(&folder.key()).reminder_key_path());
        let (display, ec2) = (progress::display(), OnceCell::new());
        let profile = stack.profile.clone();
        let identity = OnceLock::new();
        Ok(Self { config, placement, folder, profile, identity, signals, display, ec2 })
    }

    /// Fails if the stack must not run where it is placed.
    pub(crate) fn check_placement(&self) -> Result<(), Error> {
        match self.placement {
            Placement::Local => Ok(()),
            Placement::Hosts(_) => Ok(self.config.check_for_hosts()?),
            Placement::Ec2 => {
                self.config.check_for_hosts()?;
                self.check_domains()
            }
        }
    }

    /// Fails if a name would have to follow an address that changes with each launch.
    fn check_domains(&self) -> Result<(), Error> {
        if self.config.address == PublicAddress::Elastic {
            return Ok(());
        }
        let Some(service) = self.config.service_with_domain() else { return Ok(()) };
        Err(Error::Request(format!(
            "services.{}.domain: hosts on EC2 get another address with each launch, and a name cannot \
             follow it: add `address: elastic` to {}, for addresses that stay",
            service.name, self.config.origin
        )))
    }

    /// The stack's name.
    pub(crate) fn stack(&self) -> &str {
        self.config.stack.as_str()
    }

    /// Who may use the services.
    pub(crate) fn access(&self) -> Access {
        self.placement.access(&self.config)
    }

    /// The region that the stack's instances are in. Connects on the first call.
    pub(crate) async fn ec2(&self) -> Result<&Ec2, Ec2Error> {
        let account = Account {
            region: self.config.region.clone(),
            profile: self.profile.clone(),
            tags: self.config.tags.clone(),
        };
        self.ec2.get_or_try_init(|| Ec2::connect(&account)).await
    }

    /// Where events of the work go.
    pub(crate) fn sink(&self) -> &dyn EventSink {
        self.display.as_ref()
    }

    /// Reports progress on a subject.
    pub(crate) fn reporter<'a>(&'a self, subject: &'a str) -> Reporter<'a> {
        Reporter::new(self.sink(), subject)
    }

    /// Runs work until it is done or a signal interrupts it. `left` says what an interrupt
    /// leaves.
    pub(crate) async fn run<T, E: Into<Error>>(
        &self,
        left: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        match self.signals.race(work).await {
            Ok(done) => done.map_err(Into::into),
            Err(caught) => Err(caught.into_error(left)),
        }
    }

    /// Runs work that changes nothing.
    pub(crate) async fn inspect<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        self.run(NOTHING_CHANGED, work).await
    }

    /// Runs work while no other command changes the stack, on any machine. The work handles
    /// signals itself.
    pub(crate) async fn locked<T>(
        &self,
        purpose: &str,
        work: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _local = self.folder.lock()?;
        if self.placement == Placement::Local {
            return work().await;
        }
        let store = self.inspect(self.lock_store()).await?;
        store.hold(purpose, &self.signals, self.reporter("stack"), work).await
    }

    /// Where the stack's lock is kept, for a stack on hosts.
    pub(crate) async fn lock_store(&self) -> Result<LockStore, Error> {
        if self.placement == Placement::Ec2 {
            let (ec2, stack) = (self.ec2().await?.clone(), self.stack().to_owned());
            return Ok(LockStore::Account { ec2, stack });
        }
        let hosts = self.service_hosts().await?;
        // Connections of their own: the work keeps the others busy.
        let reporter = self.reporter("lock");
        reporter.step("connecting");
        let connect = hosts.iter().map(|host| {
            ssh::connect(&host.target, Deadline::after(LOCK_CONNECT_TIMEOUT), reporter)
        });
        let connected = try_join_all(connect).await;
        let connected = connected.inspect_err(|error| reporter.failed(error.to_string()))?;
        reporter.done("connected");
        Ok(LockStore::Hosts(connected))
    }

    /// The files of the stack's access tokens.
    pub(crate) fn keyring(&self) -> Keyring {
        Keyring::beside(&self.folder.key())
    }

    /// The token that this user sends: the one given, else the stack's own. `None` if access
    /// is open.
    pub(crate) fn token(&self, args: &TokenArgs) -> Result<Option<Token>, Error> {
        match self.access() {
            Access::Open => Ok(None),
            Access::Tokens => self.own_token(args),
        }
    }

    /// The same, whatever the access.
    pub(crate) fn own_token(&self, args: &TokenArgs) -> Result<Option<Token>, Error> {
        match given_token(args)? {
            Some(token) => Ok(Some(token)),
            None => Ok(self.keyring().own()?),
        }
    }

    /// Ends the display and prints the result of the command.
    pub(crate) fn print<T: Table>(self, rows: &[T], format: Output) -> Result<(), Error> {
        self.close();
        report::print(rows, format)
    }

    /// Ends the display, so that output does not mix with it.
    pub(crate) fn close(self) {
        drop(self);
    }
}
