//! `eventpost bench`: runs a load test and reports the results.

mod baseline;
mod csv;
mod host;
mod output;
mod program;
mod tables;
mod target;

use std::process::ExitCode;

use loadtest::results::{LAPTOP, Machine, Results};
use loadtest::script::{self, Script};
use support::event::EventSink;

use crate::cli::{Bench, LoadSource};
use crate::error::Error;
use crate::progress;
use crate::signals::{CaughtSignal, Signals};

use output::Files;
use target::StackHosts;

/// The exit code if a criterion failed.
const FAILED: u8 = 3;

pub(super) async fn run(args: &Bench) -> Result<ExitCode, Error> {
    let signals = Signals::listen()?;
    // Invalid arguments are reported before any request is sent.
    let mut script = script::load(args.script.as_deref(), &args.overrides)?;
    set_rates(args, &mut script)?;
    let baseline = args.baseline.as_deref().map(baseline::read).transpose()?;
    let files = Files::prepare(args)?;
    let hosts = signals.race(target::find(args, &mut script)).await;
    let hosts = hosts.map_err(|caught| caught.into_error("no request was sent"))??;
    let display = progress::display();
    let measured = measure(args, &script, hosts.as_ref(), display.as_ref(), &signals).await;
    drop(display);
    let (results, interrupted) = measured?;
    let changes = baseline.map(|baseline| baseline::compare(&baseline, &results));
    files.write(&results)?;
    output::print(args.output.format, &results, changes.as_deref())?;
    if let Some(caught) = interrupted {
        return Err(caught.into_error("the results cover the time until then"));
    }
    Ok(if results.passed() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
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

/// Runs the load test from this machine, from the hosts, or from one after the other. Returns
/// the results, which end when a signal is caught.
async fn measure(
    args: &Bench,
    script: &Script,
    hosts: Option<&StackHosts>,
    sink: &dyn EventSink,
    signals: &Signals,
) -> Result<(Results, Option<CaughtSignal>), Error> {
    // The hosts' program must be there before any request is sent.
    let program = signals.race(program::provide(hosts, sink)).await;
    let program = program.map_err(|caught| caught.into_error("no request was sent"))??;
    let mut results = Results { command: output::command_line(), ..Results::empty() };
    if args.from != LoadSource::Host {
        let ran = loadtest::run(script, LAPTOP, sink, signals.caught()).await?;
        results.machines.push(Machine::this(LAPTOP));
        results.executions.extend(ran.executions);
        results.criteria.extend(ran.criteria);
        if ran.interrupted.is_some() {
            return Ok((results, ran.interrupted));
        }
    }
    if let (Some(hosts), Some(program)) = (hosts, program) {
        let from_hosts = match signals.race(host::measure(script, hosts, &program, sink)).await {
            Ok(from_hosts) => from_hosts?,
            Err(caught) if results.executions.is_empty() => {
                return Err(caught.into_error("the load test was stopped"));
            }
            Err(caught) => return Ok((results, Some(caught))),
        };
        results.machines.extend(from_hosts.machines);
        results.executions.extend(from_hosts.executions);
        results.criteria.extend(from_hosts.criteria);
    }
    Ok((results, None))
}
