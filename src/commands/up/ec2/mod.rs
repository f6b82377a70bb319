//! `eventpost up` on EC2: a new pair of hosts beside the old one, which gets the data of
//! the old one, and the old one ended only when the new one serves. A launch that was cut
//! short is gone on with.

mod carry;
mod host;

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ec2::{Ec2, GroupPlan, Launch, MachineImage};
use futures_util::future::{join_all, try_join_all};
use ssh::{Host, Identity};
use support::event::{EventSink, Reporter};
use support::machine::Machine;
use support::wait::{Deadline, unix_seconds};
use tokio::sync::watch;

use self::carry::Carry;
use self::host::{Brought, Run, bring_up};
use super::row::Row;
use crate::cli::Up;
use crate::commands::access::{self, Grants};
use crate::commands::confirm::confirm;
use crate::commands::{hosts, keeper};
use crate::config::{Access, Config, Placement, Service};
use crate::deploy;
use crate::docker;
use crate::error::Error;
use crate::fixtures::{self, Fixtures};
use crate::local::StackFolder;
use crate::plan::launch::{self, LaunchPlan};
use crate::progress;
use crate::report;
use crate::secrets;
use crate::signals::Signals;

/// A host that serves answers at once.
const SSH_LIMIT: Duration = Duration::from_secs(30);

/// What there is before anything is changed.
struct Found {
    identity: Identity,
    image: MachineImage,
    group: GroupPlan,
    machines: Vec<Machine>,
}

/// What is to be done, and how much of it is.
struct Work<'a> {
    args: &'a Up,
    config: &'a Config,
    ec2: &'a Ec2,
    found: Found,
    plan: LaunchPlan,
    fixtures: Vec<Fixtures>,
    display: &'a dyn EventSink,
    /// The hosts that exist so far, as the user should read them.
    launched: Mutex<Vec<String>>,
}

pub(super) async fn run(args: &Up, config: &Config) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let _lock = stack.lock()?;
    let begin = Instant::now();
    let fixtures = fixtures::load_all(config)?;
    secrets::check(config)?;
    let (ec2, keeper) = keeper::account(config, &mut signals).await?;
    let display = progress::display();
    let reporter = Reporter::new(display.as_ref(), "stack");
    let work = async |signals: &mut Signals| {
        let looked = signals.race(look(config, &stack, &ec2)).await;
        let found = looked.map_err(|caught| caught.into_error("nothing was changed"))??;
        let plan = found.plan(config, args.fresh);
        if plan.loses_data() && !args.yes {
            confirm(signals, format!("{} Go on?", plan.loss())).await?;
        }
        let (ec2, display, launched) = (&ec2, display.as_ref(), Mutex::default());
        let work = Work { args, config, ec2, found, plan, fixtures, display, launched };
        work.run(signals).await.map_err(|error| work.kept(error))
    };
    let rows = keeper.hold("up", &mut signals, reporter, work).await;
    if rows.is_ok() {
        super::tell_about_https(display.as_ref());
    }
    drop(display);
    let rows = rows?;
    stack.set_last_up(begin.elapsed().as_secs_f64())?;
    report::print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

impl Found {
    fn plan(&self, config: &Config, fresh: bool) -> LaunchPlan {
        let services: Vec<_> = config.services.iter().map(|it| it.name.to_string()).collect();
        let (kind, image) = (&config.instance_type, &self.image.id);
        launch::plan(&services, kind, image, &self.machines, now(), fresh)
    }
}

/// What `up` would carry out now, and the image that it would launch hosts of.
pub(crate) async fn launch_plan(
    config: &Config,
    stack: &StackFolder,
    fresh: bool,
) -> Result<(LaunchPlan, String), Error> {
    let ec2 = Ec2::connect(config.region.as_deref()).await?;
    let found = look(config, stack, &ec2).await?;
    Ok((found.plan(config, fresh), found.image.id))
}

/// Everything that can be wrong without changing anything, found at once.
async fn look(config: &Config, stack: &StackFolder, ec2: &Ec2) -> Result<Found, Error> {
    let identity = hosts::identity(config, stack);
    let image = async {
        let image = ec2.machine_image(&config.boot_image()).await?;
        ec2.may_launch(&config.instance_type, &image).await?;
        Ok(image)
    };
    let key = async {
        match &identity {
            Ok(identity) => ec2.check_key(config.stack.as_str(), identity).await,
            Err(_) => Ok(()),
        }
    };
    let spec = config.group();
    let (image, machines, group, key) =
        tokio::join!(image, ec2.machines(config.stack.as_str()), ec2.plan_group(&spec), key);
    match (identity, image, machines, group, key) {
        (Ok(identity), Ok(image), Ok(machines), Ok(group), Ok(())) => {
            Ok(Found { identity, image, group, machines })
        }
        (identity, image, machines, group, key) => {
            let calls = [image.err(), machines.err()].into_iter().flatten().map(Error::Ec2);
            let account = [group.err(), key.err()].into_iter().flatten().map(Error::Account);
            let mut errors: Vec<_> =
                identity.err().into_iter().chain(calls).chain(account).collect();
            Err(if errors.len() == 1 { errors.remove(0) } else { Error::Several(errors) })
        }
    }
}

/// What an interrupt leaves.
const LEFT: &str = "`eventpost status` shows what is there";

impl Work<'_> {
    async fn run(&self, signals: &mut Signals) -> Result<Vec<Row>, Error> {
        let carry = Carry::new(self)?;
        let built = signals.race(self.build(&carry)).await;
        let built = built.map_err(|caught| caught.into_error(LEFT)).and_then(|built| built);
        let brought = match built {
            Ok(brought) => brought,
            Err(error) => {
                // The old ones go on where they were.
                carry.take_back().await;
                return Err(error);
            }
        };
        // A signal waits for this: it takes a second or two, and in its middle nobody
        // would know which pair is the right one.
        carry.commit(self.ec2, &brought).await?;
        for it in &brought {
            let reporter = Reporter::new(self.display, it.service.name.as_str());
            reporter.done(format!("serves at {}", it.url()));
        }
        let rows = brought.into_iter().map(Brought::into_row).collect();
        if !self.args.terminate_first {
            let ended = signals.race(self.end_old()).await;
            ended.map_err(|caught| caught.into_error(LEFT))??;
        }
        Ok(rows)
    }

    /// Brings the new hosts to where all is done but the last step.
    async fn build(&self, carry: &Carry<'_>) -> Result<Vec<Brought>, Error> {
        let Found { identity, image, group, .. } = &self.found;
        let (config, ec2) = (self.config, self.ec2);
        // What cannot be carried is to be known before anything is launched.
        carry.check().await?;
        let grants = self.grants().await?;
        if self.args.terminate_first {
            self.end_old().await?;
        }
        let stack = config.stack.as_str();
        let spec = config.group();
        let (group, key) =
            tokio::try_join!(ec2.ensure_group(&spec, group), ec2.ensure_key(stack, identity))?;
        let launch = Launch {
            stack: stack.into(),
            generation: self.plan.generation,
            kind: config.instance_type.clone(),
            image: image.clone(),
            group,
            key,
            by: docker::who(),
            ends: self.args.ttl.map(|ttl| unix_seconds() + ttl.as_secs()),
        };
        let run = Run { work: self, launch, grants: &grants, places: watch::Sender::default() };
        let one = |(service, fixtures)| {
            let artifact = deploy::make(config, service, self.display);
            bring_up(&run, service, fixtures, artifact)
        };
        let mut brought = try_join_all(config.services.iter().zip(&self.fixtures).map(one)).await?;
        carry.move_data(&mut brought).await?;
        grants.are_deployed()?;
        Ok(brought)
    }

    /// The tokens that the old hosts accept, whether their data are carried over or not,
    /// brought together with those of this machine.
    async fn grants(&self) -> Result<Grants, Error> {
        let reporter = Reporter::new(self.display, "access");
        let serving = self.plan.replaced.iter().filter(|machine| machine.serving);
        let found = join_all(serving.map(|machine| self.connect(machine, reporter))).await;
        let hosts: Vec<_> =
            found.iter().flatten().map(|(host, service)| (host, *service)).collect();
        let arguments = (&self.args.stack, &self.args.token);
        access::for_hosts(self.config, arguments, &hosts, true, reporter).await
    }

    /// A host that serves, and what it serves. One that cannot be connected to keeps nobody
    /// from replacing it, but its list of tokens is not known then.
    async fn connect(&self, machine: &Machine, reporter: Reporter<'_>) -> Option<(Host, &Service)> {
        let services = &self.config.services;
        let service = services.iter().find(|it| it.name.as_str() == machine.service)?;
        if self.config.access_at(Placement::Hosts) == Access::Open {
            return None;
        }
        let target = hosts::ec2_target(self.config, machine, &self.found.identity)?;
        match ssh::connect(&target, Deadline::after(SSH_LIMIT), reporter).await {
            Ok(host) => Some((host, service)),
            Err(error) => {
                reporter.warning(format!(
                    "{error}. The list of tokens of this machine is used, which may be older than \
                     that host's: `eventpost token list` shows it"
                ));
                None
            }
        }
    }

    /// Ends what the new hosts replace.
    async fn end_old(&self) -> Result<(), Error> {
        let plan = &self.plan;
        if plan.replaced.is_empty() {
            return Ok(());
        }
        let reporter = Reporter::new(self.display, "old hosts");
        reporter.step(format!("ending {}", plan.replaced_ids()));
        let ended = self.ec2.terminate(&plan.replaced, reporter).await;
        ended.inspect_err(|error| reporter.failed(error.to_string()))?;
        reporter.done(format!("ended {}", plan.replaced_ids()));
        Ok(())
    }

    /// An error, with the hosts that exist in spite of it.
    fn kept(&self, error: Error) -> Error {
        let launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
        if launched.is_empty() {
            return error;
        }
        Error::Kept { source: Box::new(error), hosts: launched.join(", ") }
    }
}

/// Seconds since 1970, which number the launches of a stack.
fn now() -> u32 {
    u32::try_from(unix_seconds()).unwrap_or(u32::MAX)
}
