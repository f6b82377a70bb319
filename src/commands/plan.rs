//! `eventpost plan`: what `up` would do, and nothing done.

use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::join_all;
use ssh::Identity;
use support::event::{Reporter, Silence};
use support::http::{Client, Endpoint};
use support::machine::Machine;
use support::wait::{Deadline, in_words};

use crate::access::Token;
use crate::cli::{Output, Up};
use crate::commands::{access, hosts, up};
use crate::config::{self, Config};
use crate::error::Error;
use crate::health;
use crate::local::StackFolder;
use crate::plan::preview::{Change, Preview, Verb, cost, of_launch};
use crate::progress;
use crate::report::{self, Cell, Table};
use crate::signals::Signals;

/// A host that is up answers at once.
const SSH_LIMIT: Duration = Duration::from_secs(5);

/// The exit code where there are changes, as others that plan have it.
const CHANGES: u8 = 2;

impl Table for Change {
    const HEADINGS: &'static [&'static str] = &["ACTION", "SERVICE", "WHAT", "WHY", "DATA"];

    fn cells(&self) -> Vec<Cell> {
        let resources = self.resources.map_or("data".into(), |count| format!("{count} resources"));
        let data = match (self.loses_data, self.carries_data) {
            (true, _) => Cell::verdict(&format!("{resources} are lost"), false),
            (_, true) => Cell::verdict(&format!("{resources} are carried over"), true),
            _ => Cell::text(None::<&str>),
        };
        vec![
            Cell::verdict(self.action.as_str(), self.action != Verb::Destroy),
            Cell::text(Some(&self.service)),
            Cell::text(Some(&self.what)),
            Cell::text(Some(&self.why)),
            data,
        ]
    }
}

/// Tells what the same command without `--dry-run` would do.
pub(super) async fn run(args: &Up) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let display = progress::display();
    let work = async {
        let changes = if args.placement.local {
            up::local_changes(args, &config, &stack, display.as_ref()).await?
        } else {
            on_hosts(args, &config, &stack).await?
        };
        let launches =
            !args.placement.local && hosts::named(&config, &args.placement.hosts)?.is_empty();
        let count = config.services.len();
        Ok::<_, Error>(Preview {
            stack: config.stack.to_string(),
            changes,
            cost: cost(&config.instance_type, count).filter(|_| launches),
            last_time_seconds: stack.last_up().filter(|_| launches),
        })
    };
    let preview = signals.race(work).await;
    drop(display);
    let preview = preview.map_err(|caught| caught.into_error("nothing was changed"))??;
    print(&preview, &config, args.output.format)?;
    Ok(if preview.changes_nothing() { ExitCode::SUCCESS } else { ExitCode::from(CHANGES) })
}

async fn on_hosts(args: &Up, config: &Config, stack: &StackFolder) -> Result<Vec<Change>, Error> {
    config.check_for_hosts()?;
    let named = hosts::named(config, &args.placement.hosts)?;
    if !named.is_empty() {
        let change = |service: &config::Service| Change {
            service: service.name.to_string(),
            action: Verb::Update,
            what: named[service.name.as_str()].to_string(),
            why: "what differs there is brought up to date".into(),
            loses_data: false,
            carries_data: false,
            resources: None,
        };
        return Ok(config.services.iter().map(change).collect());
    }
    let (plan, image) = up::launch_plan(config, stack, args.fresh).await?;
    let services: Vec<_> = config.services.iter().map(|it| it.name.to_string()).collect();
    let mut changes = of_launch(&plan, &services, &config.instance_type, &image);
    let token = access::token_for_hosts(config, (&args.stack, &args.token))?;
    let identity = hosts::identity(config, stack)?;
    let token = token.as_ref().map(|token| (token, &identity));
    let counts = plan.replaced.iter().map(|machine| resources(config, machine, token));
    let counts = join_all(counts).await;
    for (machine, count) in plan.replaced.iter().zip(counts) {
        for change in changes.iter_mut().filter(|change| change.what == machine.id) {
            change.resources = count;
        }
    }
    Ok(changes)
}

/// What the service on a host says that it holds.
async fn resources(
    config: &Config,
    machine: &Machine,
    token: Option<(&Token, &Identity)>,
) -> Option<u64> {
    let service = config.services.iter().find(|it| it.name.as_str() == machine.service)?;
    let endpoint = Endpoint::at((machine.address?, service.port).into());
    let client = match token {
        None => endpoint.into(),
        Some((token, identity)) => {
            let (target, deadline) =
                (hosts::ec2_target(config, machine, identity)?, Deadline::after(SSH_LIMIT));
            let reporter = Reporter::new(&Silence, &machine.service);
            let host = ssh::connect(&target, deadline, reporter).await.ok()?;
            Client::through(host.port(service.port), endpoint, Some(token.clone()))
        }
    };
    let ready = health::check(&machine.service, &client, &service.health).await.ok()?;
    ready.about.resources
}

fn print(preview: &Preview, config: &Config, output: Output) -> Result<(), Error> {
    if output == Output::Json {
        return report::json(preview);
    }
    report::print(&preview.changes, output)?;
    report::gap()?;
    for line in summary(preview, config) {
        report::line(&line)?;
    }
    Ok(())
}

fn summary(preview: &Preview, config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    let count = |verb| preview.changes.iter().filter(|change| change.action == verb).count();
    let verbs = [Verb::Create, Verb::Continue, Verb::Update, Verb::Destroy, Verb::Keep];
    let counts = verbs.map(|verb| (count(verb), verb.as_str()));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts.map(|(count, verb)| format!("{count} to {verb}")).collect();
    lines.push(format!("{}: {}.", preview.stack, counts.join(", ")));
    if let Some(cost) = &preview.cost {
        lines.push(format!(
            "Its hosts cost {:.4} USD an hour, {:.2} a month ({}, on demand in {}, prices of {}).",
            cost.hourly, cost.monthly, config.instance_type, cost.region, cost.as_of
        ));
    }
    if let Some(seconds) = preview.last_time_seconds {
        let took = Duration::from_secs_f64(seconds);
        lines.push(format!("The last time took {}.", in_words(took)));
    }
    if preview.changes.iter().any(|change| change.loses_data) {
        lines.push(
            "The data of hosts that are destroyed are lost: `eventpost backup FILE` keeps them."
                .into(),
        );
    }
    lines
}
