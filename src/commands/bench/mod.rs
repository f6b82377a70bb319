//! `eventpost bench`: a load on services that run, and how they bore it.

mod baseline;
mod csv;
mod host;
mod program;
mod tables;
mod target;

use std::process::ExitCode;

use loadtest::outcome::{LAPTOP, Machine, Outcome};
use loadtest::page;
use loadtest::script::{self, Script};
use serde::Serialize;
use support::event::EventSink;

use crate::cli::{Bench, LoadSource, Output};
use crate::commands::destination::Destination;
use crate::error::Error;
use crate::progress;
use crate::report;
use crate::signals::{Caught, Signals};

use baseline::Change;
use target::StackHosts;

/// The exit code of a load that failed a criterion, as of unhealthy services.
const FAILED: u8 = 3;

/// What `--output json` prints.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    /// Against the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [Change]>,
}

pub(super) async fn run(args: &Bench) -> Result<ExitCode, Error> {
    let signals = Signals::listen()?;
    // Everything that can be wrong with the request shows before the load begins.
    let mut script = script::load(args.script.as_deref(), &args.overrides)?;
    set_rates(args, &mut script)?;
    let baseline = args.baseline.as_deref().map(baseline::read).transpose()?;
    let html = Destination::maybe(args.html.as_deref())?;
    let table = Destination::maybe(args.csv.as_deref())?;
    let hosts = signals.race(target::find(args, &mut script)).await;
    let hosts = hosts.map_err(|caught| caught.into_error("no request was sent"))??;
    let display = progress::display();
    let measured = measure(args, &script, hosts.as_ref(), display.as_ref(), &signals).await;
    drop(display);
    let (outcome, interrupted) = measured?;
    let changes = baseline.map(|before| baseline::changes(&before, &outcome));
    if let Some(html) = html {
        html.write(page::render(&outcome).as_bytes())?;
    }
    if let Some(table) = table {
        table.write(csv::render(&outcome).as_bytes())?;
    }
    print(args.output.format, &outcome, changes.as_deref())?;
    if let Some(caught) = interrupted {
        return Err(caught.into_error("the result is of the time until then"));
    }
    Ok(if outcome.passed() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn set_rates(args: &Bench, script: &mut Script) -> Result<(), Error> {
    for rate in &args.rate {
        if !script.set_rate(rate.scenario.as_deref(), rate.per_second) {
            let name = rate.scenario.as_deref().unwrap_or_default();
            return Err(Error::Request(format!("--rate: no execution has the scenario `{name}`")));
        }
    }
    Ok(())
}

/// Puts the load on from where it was asked for, one place after the other. What was
/// measured until a signal came is a result, too.
async fn measure(
    args: &Bench,
    script: &Script,
    hosts: Option<&StackHosts>,
    sink: &dyn EventSink,
    signals: &Signals,
) -> Result<(Outcome, Option<Caught>), Error> {
    let program = async {
        let Some(hosts) = hosts else { return Ok(None) };
        Ok::<_, Error>(Some((hosts, program::provide(&hosts.config, sink).await?)))
    };
    // What the hosts run must be there before anything is sent.
    let from_hosts = signals.race(program).await;
    let from_hosts = from_hosts.map_err(|caught| caught.into_error("no request was sent"))??;
    let mut outcome = Outcome { command: command_line(), ..Outcome::empty() };
    if args.from != LoadSource::Host {
        let ran = loadtest::run(script, LAPTOP, sink, signals.caught()).await?;
        outcome.machines.push(Machine::this(LAPTOP));
        outcome.executions.extend(ran.executions);
        outcome.criteria.extend(ran.criteria);
        if ran.interrupted.is_some() {
            return Ok((outcome, ran.interrupted));
        }
    }
    if let Some((hosts, program)) = from_hosts {
        let ran = match signals.race(host::measure(script, hosts, &program, sink)).await {
            Ok(ran) => ran?,
            Err(caught) if outcome.executions.is_empty() => {
                return Err(caught.into_error("the load has ended"));
            }
            Err(caught) => return Ok((outcome, Some(caught))),
        };
        outcome.machines.extend(ran.machines);
        outcome.executions.extend(ran.executions);
        outcome.criteria.extend(ran.criteria);
    }
    Ok((outcome, None))
}

fn print(output: Output, outcome: &Outcome, changes: Option<&[Change]>) -> Result<(), Error> {
    if output == Output::Json {
        return report::json(&Printed { outcome, changes });
    }
    report::print(&tables::executions(outcome), output)?;
    report::gap()?;
    report::print(&tables::labels(outcome), output)?;
    if !outcome.criteria.is_empty() {
        report::gap()?;
        report::print(&outcome.criteria, output)?;
    }
    if let Some(changes) = changes {
        report::gap()?;
        report::print(changes, output)?;
    }
    Ok(())
}

/// The command as it was given, without the folder that the program lies in.
fn command_line() -> String {
    let arguments = std::env::args().skip(1).map(|argument| ssh::quote(&argument));
    std::iter::once("eventpost".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}
