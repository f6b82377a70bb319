//! `eventpost bench`: a load on services that run, and how they bore it.

use std::process::ExitCode;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::bench::script::{self, Execution, Script};
use crate::bench::{self, LabelStats, Measured};
use crate::cli::{Bench, Output};
use crate::commands::endpoints;
use crate::config::{self, Config};
use crate::error::Error;
use crate::http::Endpoint;
use crate::progress;
use crate::report::{self, Cell, Table};
use crate::signals::Signals;

/// The whole result.
#[derive(Debug, Serialize)]
struct Outcome {
    executions: Vec<ExecutionRow>,
    labels: Vec<LabelRow>,
}

/// An execution's part of the result.
#[derive(Debug, Serialize)]
struct ExecutionRow {
    scenario: String,
    url: String,
    users: u32,
    /// Requests a second that it was allowed.
    cap: Option<f64>,
    requests: u64,
    errors: u64,
    seconds: f64,
    /// Requests a second over all its time.
    overall_per_second: f64,
    /// Requests a second once all users had started.
    hold_per_second: Option<f64>,
    bytes: u64,
}

/// A label's part of the result. Times are in milliseconds.
#[derive(Debug, Serialize)]
struct LabelRow {
    scenario: String,
    label: String,
    requests: u64,
    errors: u64,
    average_ms: f64,
    p50_ms: f64,
    p90_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    p99_9_ms: f64,
    max_ms: f64,
    bytes: u64,
    /// What went wrong, and how often.
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Problem {
    what: String,
    count: u64,
}

impl Table for ExecutionRow {
    const HEADINGS: &'static [&'static str] = &[
        "SCENARIO",
        "URL",
        "USERS",
        "CAP/S",
        "REQUESTS",
        "ERRORS",
        "OVERALL/S",
        "HOLD/S",
        "BYTES",
    ];

    fn cells(&self) -> Vec<Cell> {
        let rate = |rate: f64| format!("{rate:.0}");
        vec![
            Cell::text(Some(&self.scenario)),
            Cell::text(Some(&self.url)),
            Cell::text(Some(self.users)),
            Cell::text(self.cap.map(rate)),
            Cell::text(Some(self.requests)),
            Cell::verdict(&self.errors.to_string(), self.errors == 0),
            Cell::text(Some(rate(self.overall_per_second))),
            Cell::text(self.hold_per_second.map(rate)),
            Cell::text(Some(self.bytes)),
        ]
    }
}

impl Table for LabelRow {
    const HEADINGS: &'static [&'static str] = &[
        "LABEL", "REQUESTS", "ERRORS", "AVERAGE", "P50", "P90", "P95", "P99", "P99.9", "MAX",
        "PROBLEM",
    ];

    fn cells(&self) -> Vec<Cell> {
        let ms = |ms: f64| Cell::text(Some(format!("{ms:.2} ms")));
        let problems = self.problems.iter().map(|it| format!("{} ({})", it.what, it.count));
        let problems: Vec<_> = problems.collect();
        vec![
            Cell::text(Some(&self.label)),
            Cell::text(Some(self.requests)),
            Cell::verdict(&self.errors.to_string(), self.errors == 0),
            ms(self.average_ms),
            ms(self.p50_ms),
            ms(self.p90_ms),
            ms(self.p95_ms),
            ms(self.p99_ms),
            ms(self.p99_9_ms),
            ms(self.max_ms),
            Cell::text(Some(problems.join(", ")).filter(|text| !text.is_empty())),
        ]
    }
}

pub(super) async fn run(args: &Bench) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let mut script = script::load(args.script.as_deref(), &args.overrides)?;
    direct(args, &mut script).await?;
    let display = progress::display();
    let measured = signals.race(bench::run(&script, display.as_ref())).await;
    drop(display);
    let measured = measured.map_err(|caught| caught.into_error("the load has ended"))?;
    let outcome = outcome(&script, &measured);
    match args.output {
        Output::Json => report::json(&outcome)?,
        Output::Text => {
            report::print(&outcome.executions, Output::Text)?;
            report::gap()?;
            report::print(&outcome.labels, Output::Text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Sends the requests to the services that the command line means.
async fn direct(args: &Bench, script: &mut Script) -> Result<(), Error> {
    for url in &args.url {
        script.direct(&format!("/{}", url.service), &url.endpoint);
    }
    if !args.local && !args.deployed {
        return Ok(());
    }
    let config = config::load(args.stack.file.as_deref())?;
    let endpoints = if args.local {
        endpoints::local(args.stack.state_dir.as_deref(), &config).await?
    } else {
        endpoints::deployed(&config).await?
    };
    direct_all(script, &config, &endpoints)
}

fn direct_all(script: &mut Script, config: &Config, endpoints: &[Endpoint]) -> Result<(), Error> {
    for (service, endpoint) in config.services.iter().zip(endpoints) {
        script.direct(&service.collection(), endpoint);
    }
    let lost = script.executions.iter().find(|execution| execution.endpoint.is_none());
    lost.map_or(Ok(()), |execution| {
        let name = &execution.scenario.name;
        Err(Error::Request(format!(
            "the requests of scenario {name} are not all for one of {}'s services",
            config.origin
        )))
    })
}

fn outcome(script: &Script, measured: &[Measured]) -> Outcome {
    let all = script.executions.iter().zip(measured);
    let labels = all.clone().flat_map(|(execution, measured)| labels(execution, measured));
    Outcome {
        labels: labels.collect(),
        executions: all.map(|(execution, measured)| execution_row(execution, measured)).collect(),
    }
}

fn execution_row(execution: &Execution, measured: &Measured) -> ExecutionRow {
    let all = &measured.stats.requests;
    let requests: u64 = all.iter().map(|label| label.count).sum();
    let seconds = measured.took.as_secs_f64();
    ExecutionRow {
        scenario: execution.scenario.name.clone(),
        url: execution.endpoint().to_string(),
        users: execution.users,
        cap: execution.throughput,
        requests,
        errors: all.iter().map(LabelStats::failed).sum(),
        seconds,
        overall_per_second: per_second(requests, seconds),
        hold_per_second: hold_per_second(execution, measured),
        bytes: all.iter().map(|label| label.bytes).sum(),
    }
}

/// Over the whole seconds of the hold phase.
fn hold_per_second(execution: &Execution, measured: &Measured) -> Option<f64> {
    let hold = execution.hold_for?;
    let second = |at: Duration| usize::try_from(at.as_secs()).ok();
    let from = second(execution.ramp_up + Duration::from_millis(999))?;
    let to = second(execution.ramp_up + hold)?;
    let seconds = measured.stats.seconds.get(from..to).filter(|seconds| !seconds.is_empty())?;
    let requests = seconds.iter().map(|count| u64::from(*count)).sum();
    Some(per_second(requests, Duration::from_secs(seconds.len() as u64).as_secs_f64()))
}

fn per_second(requests: u64, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 requests")]
    let requests = requests as f64;
    requests / seconds
}

/// The scenario's labels, each once, in the order of their first requests.
fn labels(execution: &Execution, measured: &Measured) -> Vec<LabelRow> {
    let mut labels: Vec<(&str, LabelStats)> = Vec::new();
    for (request, stats) in execution.scenario.requests.iter().zip(&measured.stats.requests) {
        let at = labels.iter().position(|(label, _)| *label == request.label);
        let at = at.unwrap_or_else(|| {
            labels.push((&request.label, LabelStats::default()));
            labels.len() - 1
        });
        labels[at].1.add(stats);
    }
    let rows = labels.into_iter().map(|(label, stats)| label_row(execution, label, &stats));
    rows.collect()
}

fn label_row(execution: &Execution, label: &str, stats: &LabelStats) -> LabelRow {
    let at = |quantile: f64| micros(stats.time.value_at_quantile(quantile));
    let problem = |(what, count): (&String, &u64)| Problem { what: what.clone(), count: *count };
    LabelRow {
        scenario: execution.scenario.name.clone(),
        label: label.into(),
        requests: stats.count,
        errors: stats.failed(),
        average_ms: stats.time.mean() / 1000.0,
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        p99_9_ms: at(0.999),
        max_ms: micros(Histogram::max(&stats.time)),
        bytes: stats.bytes,
        problems: stats.errors.iter().map(problem).collect(),
    }
}

/// Microseconds as milliseconds.
fn micros(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}
