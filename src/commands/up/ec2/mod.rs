//! `eventpost up` on EC2: a new pair of hosts beside the old one, and the old one ended
//! only when the new one serves. A launch that was cut short is gone on with.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use futures_util::future::try_join_all;

use super::row::Row;
use crate::cli::Up;
use crate::commands::confirm::confirm;
use crate::commands::hosts;
use crate::config::{Config, Service};
use crate::deploy::{self, Making, Site, Stopwatch};
use crate::error::Error;
use crate::event::{EventSink, Reporter};
use crate::fixtures::{self, Fixtures};
use crate::host::{Command, Host, Identity};
use crate::local::StackFolder;
use crate::plan::launch::{self, LaunchPlan};
use crate::progress;
use crate::provider::Machine;
use crate::provider::ec2::{Ec2, Launch, MachineImage, Wanted};
use crate::report;
use crate::signals::Signals;
use crate::wait::unix_seconds;

/// What there is before anything is changed.
struct Found {
    ec2: Ec2,
    identity: Identity,
    image: MachineImage,
    machines: Vec<Machine>,
}

/// What the hosts of a run share.
struct Run<'a> {
    args: &'a Up,
    config: &'a Config,
    ec2: &'a Ec2,
    identity: &'a Identity,
    launch: Launch,
    plan: &'a LaunchPlan,
    display: &'a dyn EventSink,
    /// The hosts that exist so far, as the user should read them.
    launched: &'a Mutex<Vec<String>>,
}

pub(super) async fn run(args: &Up, config: &Config) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let _lock = stack.lock()?;
    let fixtures = fixtures::load_all(config)?;
    let looked = signals.race(look(config, &stack)).await;
    let found = looked.map_err(|caught| caught.into_error("nothing was changed"))??;
    let plan = found.plan(config);
    if plan.loses_data() && !args.yes {
        confirm(&mut signals, format!("{} Go on?", plan.loss())).await?;
    }

    let (launched, begin) = (Mutex::new(Vec::new()), Instant::now());
    let display = progress::display();
    let work = replace(args, config, &found, &plan, &fixtures, display.as_ref(), &launched);
    let outcome = signals.race(work).await;
    drop(display);
    let error = match outcome {
        Ok(Ok(rows)) => {
            stack.set_last_up(begin.elapsed().as_secs_f64())?;
            report::print(&rows, args.output)?;
            return Ok(ExitCode::SUCCESS);
        }
        Ok(Err(error)) => error,
        Err(caught) => caught.into_error("`eventpost status` shows what is there"),
    };
    let launched = launched.into_inner().unwrap_or_else(PoisonError::into_inner);
    if launched.is_empty() {
        return Err(error);
    }
    Err(Error::Kept { source: Box::new(error), hosts: launched.join(", ") })
}

impl Found {
    fn plan(&self, config: &Config) -> LaunchPlan {
        let services: Vec<_> = config.services.iter().map(|it| it.name.to_string()).collect();
        let (kind, image) = (&config.instance_type, &self.image.id);
        launch::plan(&services, kind, image, &self.machines, now())
    }
}

/// What `up` would carry out now, and the image that it would launch hosts of.
pub(crate) async fn launch_plan(
    config: &Config,
    stack: &StackFolder,
) -> Result<(LaunchPlan, String), Error> {
    let found = look(config, stack).await?;
    Ok((found.plan(config), found.image.id))
}

/// Makes what is missing, and ends the old hosts once the new ones serve, or before
/// where that was asked for.
async fn replace(
    args: &Up,
    config: &Config,
    found: &Found,
    plan: &LaunchPlan,
    fixtures: &[Fixtures],
    display: &dyn EventSink,
    launched: &Mutex<Vec<String>>,
) -> Result<Vec<Row>, Error> {
    let Found { ec2, identity, image, .. } = found;
    if args.terminate_first {
        end_old(ec2, plan, display).await?;
    }
    let stack = config.stack.as_str();
    let (group, key) = tokio::try_join!(ec2.ensure_group(config), ec2.ensure_key(stack, identity))?;
    let launch = Launch {
        stack: stack.into(),
        generation: plan.generation,
        kind: config.instance_type.clone(),
        image: image.clone(),
        group,
        key,
    };
    let run = Run { args, config, ec2, identity, launch, plan, display, launched };
    let rows = bring_up_all(&run, fixtures).await?;
    if !args.terminate_first {
        end_old(ec2, plan, display).await?;
    }
    Ok(rows)
}

/// Everything that can be wrong without changing anything, found at once.
async fn look(config: &Config, stack: &StackFolder) -> Result<Found, Error> {
    let ec2 = Ec2::connect(config.region.as_deref()).await?;
    let identity = hosts::identity(config, stack);
    let image = async {
        let image = ec2.machine_image(&config.image).await?;
        ec2.may_launch(&config.instance_type, &image).await?;
        Ok(image)
    };
    let (image, machines) = tokio::join!(image, ec2.machines(config.stack.as_str()));
    match (identity, image, machines) {
        (Ok(identity), Ok(image), Ok(machines)) => Ok(Found { ec2, identity, image, machines }),
        (identity, image, machines) => {
            let found =
                [identity.err(), image.err().map(Error::Ec2), machines.err().map(Error::Ec2)];
            let mut errors: Vec<_> = found.into_iter().flatten().collect();
            Err(if errors.len() == 1 { errors.remove(0) } else { Error::Several(errors) })
        }
    }
}

async fn bring_up_all<'a>(run: &Run<'a>, fixtures: &'a [Fixtures]) -> Result<Vec<Row>, Error> {
    let one = |(service, fixtures)| {
        let artifact = deploy::make(run.config, service, run.display);
        bring_up(run, service, fixtures, artifact)
    };
    let rows = try_join_all(run.config.services.iter().zip(fixtures).map(one)).await?;
    // Only together do they replace the old ones.
    let ids = rows.iter().map(|(machine, _)| run.ec2.set_serving(&machine.id));
    try_join_all(ids).await?;
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Brings one service from nothing, or from where it is, to where it serves.
async fn bring_up<'a>(
    run: &Run<'_>,
    service: &'a Service,
    fixtures: &'a Fixtures,
    artifact: Making<'a>,
) -> Result<(Machine, Row), Error> {
    let reporter = Reporter::new(run.display, service.name.as_str());
    let mut watch = Stopwatch::start();
    let work = async {
        let machine = obtain(run, service, reporter).await?;
        let machine = run.ec2.wait_running(&machine, reporter).await?;
        watch.lap("launch");
        let target = hosts::ec2_target(run.config, &machine, run.identity);
        let target =
            target.ok_or_else(|| Error::NotRunning(format!("{} has no address", machine.id)))?;
        let fixtures = Some(fixtures).filter(|_| !run.args.no_seed);
        let site = Site { service, docker: run.config.docker, target, artifact, fixtures };
        let settle = async |host: &Host| settle(run.ec2, &machine, host).await;
        let ready = deploy::deploy(&site, settle, reporter, &mut watch).await?;
        Ok((machine, ready))
    };
    let (machine, ready) =
        work.await.inspect_err(|error: &Error| reporter.failed(error.headline()))?;
    let path = service.collection();
    // The name is what others use; the address is what this machine has just tried.
    let url = match &machine.dns {
        Some(name) if service.port == 80 => format!("http://{name}{path}"),
        Some(name) => format!("http://{name}:{}{path}", service.port),
        None => ready.endpoint.url(&path),
    };
    reporter.done(format!("serves at {url}"));
    let address = machine.address.map(|address| address.to_string()).unwrap_or_default();
    let host = format!("{} {address}", machine.id);
    let row = Row { service: service.name.to_string(), host, url, steps: watch.steps() };
    Ok((machine, row))
}

/// The machine that an earlier run launched for the service, or a new one.
async fn obtain(
    run: &Run<'_>,
    service: &Service,
    reporter: Reporter<'_>,
) -> Result<Machine, Error> {
    let name = service.name.as_str();
    let machine = if let Some(machine) = run.plan.resumed.iter().find(|m| m.service == name) {
        reporter.step(format!("going on with {}", machine.id));
        machine.clone()
    } else {
        reporter.step("launching");
        let host_key = Identity::fresh().map_err(|error| {
            Error::Runtime(std::io::Error::other(format!("no host key could be made: {error}")))
        })?;
        run.ec2.launch(&run.launch, &Wanted { service: name, host_key: &host_key }).await?
    };
    let mut launched = run.launched.lock().unwrap_or_else(PoisonError::into_inner);
    launched.push(format!("{} ({name})", machine.id));
    Ok(machine)
}

/// What a host gets once it can be trusted: a host key that was never in user data, and
/// a metadata service that wants tokens.
async fn settle(ec2: &Ec2, machine: &Machine, host: &Host) -> Result<(), Error> {
    let script = include_str!("../../../templates/host-key-rotate.sh");
    let next = host.run("making a host key", Command::script(script, &["prepare"])).await?;
    let next = next.stdout.trim().to_owned();
    // All count while it is unclear which one the host has.
    let mut keys = machine.host_keys.clone();
    keys.push(next.clone());
    ec2.set_host_keys(&machine.id, &keys).await?;
    host.run("switching the host key", Command::script(script, &["switch"])).await?;
    ec2.set_host_keys(&machine.id, &[next]).await?;
    Ok(ec2.require_metadata_tokens(&machine.id).await?)
}

/// Ends what the new hosts replace.
async fn end_old(ec2: &Ec2, plan: &LaunchPlan, display: &dyn EventSink) -> Result<(), Error> {
    if plan.replaced.is_empty() {
        return Ok(());
    }
    let reporter = Reporter::new(display, "old hosts");
    reporter.step(format!("ending {}", plan.replaced_ids()));
    ec2.terminate(&plan.replaced).await.inspect_err(|error| reporter.failed(error.to_string()))?;
    reporter.done(format!("ended {}", plan.replaced_ids()));
    Ok(())
}

/// Seconds since 1970, which number the launches of a stack.
fn now() -> u32 {
    u32::try_from(unix_seconds()).unwrap_or(u32::MAX)
}
