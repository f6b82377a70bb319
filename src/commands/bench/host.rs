//! Runs the load test from the services' own hosts: this program and the part of the script for
//! a host's service are uploaded, run and removed.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::try_join_all;
use loadtest::outcome::Outcome;
use loadtest::script::Script;
use ssh::{Command, Progress, quote};
use support::event::{Event, EventSink, Reporter};
use support::wait::Deadline;

use super::program;
use super::relay::Line;
use super::target::Targets;
use crate::access::Token;
use crate::cli::Bench;
use crate::commands::endpoints::ServiceHost;
use crate::error::Error;

const SSH_LIMIT: Duration = Duration::from_secs(30);
/// Where the program on the host finds the token, in its folder.
const TOKEN_FILE: &str = "token";
/// What uploading and cleaning up may take beside the load.
const BESIDE: Duration = Duration::from_secs(600);
/// What a load may take that only its iterations end.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What runs on the host. However it ends, the folder goes: when the load is done, when
/// it fails, and when the connection breaks, which the program notices as nobody reads
/// what it says.
const RUN: &str = r#"set -e
[ "$(uname -s -m)" = "Linux PROCESSOR" ] || {
    echo "the host is $(uname -s -m), and this program is for Linux PROCESSOR" >&2; exit 1; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/eventpost-bench.XXXXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cd "$dir"
tar -xzf -
./eventpost bench load.yml --as-written --relayed"#;

/// What the hosts measured, as one result.
pub(super) async fn measure(
    args: &Bench,
    script: &Script,
    targets: &Targets,
    sink: &dyn EventSink,
) -> Result<Outcome, Error> {
    let Targets::Hosts(hosts, token) = targets else {
        return Err(Error::Request("--from host: there are no hosts".into()));
    };
    let program = program::read()?;
    let parts = hosts.iter().map(|host| async {
        let numbers = script.of_service(&host.service.collection());
        if numbers.is_empty() {
            return Ok(None);
        }
        on_host(args, script, host, &numbers, (&program, token.as_ref()), sink)
            .await
            .map(|outcome| Some((numbers, outcome)))
    });
    let outcomes = try_join_all(parts).await?.into_iter().flatten().collect();
    Ok(joined(outcomes))
}

/// Puts the hosts' results together, with the executions in the script's order.
fn joined(outcomes: Vec<(Vec<usize>, Outcome)>) -> Outcome {
    let mut all = Outcome::empty();
    let mut executions = Vec::new();
    for (numbers, outcome) in outcomes {
        all.machines.extend(outcome.machines);
        executions.extend(numbers.into_iter().zip(outcome.executions));
        all.criteria.extend(outcome.criteria);
    }
    executions.sort_by_key(|(number, _)| *number);
    all.executions = executions.into_iter().map(|(_, execution)| execution).collect();
    all
}

async fn on_host(
    args: &Bench,
    script: &Script,
    host: &ServiceHost,
    numbers: &[usize],
    (program, token): (&[u8], Option<&Token>),
    sink: &dyn EventSink,
) -> Result<Outcome, Error> {
    let name = format!("{} host", host.service.name);
    let reporter = Reporter::new(sink, &name);
    reporter.step("connecting");
    let connected = ssh::connect(&host.target, Deadline::after(SSH_LIMIT), reporter).await;
    let connected = connected.inspect_err(|error| reporter.failed(error.to_string()))?;
    reporter.step("uploading the program");
    let payload = payload(script, host, numbers, program, token).map_err(Error::Runtime)?;
    let total = payload.len() as u64;
    let command = Command::new(format!(
        "sh -c {}",
        quote(&command_line(args, script, numbers, token.is_some()))
    ))
    .stdin(payload)
    .within(script.lasts().unwrap_or(LONGEST) + BESIDE);
    let mut outcome = None;
    let heard = |progress| match progress {
        Progress::Sent(bytes) => reporter.bytes("uploading the program", bytes as u64, total),
        Progress::Line(line) => match serde_json::from_str(&line) {
            Ok(Line::Event(Event { subject, kind })) => {
                sink.emit(Event { subject: format!("{subject} on host"), kind });
            }
            Ok(Line::Outcome(it)) => outcome = Some(*it),
            Err(_) => reporter.detail(line),
        },
        Progress::Output(_) | Progress::Complaint(_) => {}
    };
    let ran = connected.run_watching("running the load", command, heard).await;
    ran.inspect_err(|error| reporter.failed(error.to_string()))?;
    reporter.done("brought the result back");
    let mut outcome =
        outcome.ok_or_else(|| Error::Failed(format!("{name}: the load ended without a result")))?;
    for machine in &mut outcome.machines {
        machine.name.clone_from(&name);
    }
    for verdict in &mut outcome.criteria {
        verdict.from = Some(name.clone());
    }
    Ok(outcome)
}

/// The program, the script and the files that it names, packed.
fn payload(
    script: &Script,
    host: &ServiceHost,
    numbers: &[usize],
    program: &[u8],
    token: Option<&Token>,
) -> std::io::Result<Vec<u8>> {
    let portable = script.part(numbers, &format!("http://127.0.0.1:{}", host.service.port));
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |name: &str, bytes: &[u8], mode: u32| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        archive.append_data(&mut header, name, bytes)
    };
    add("eventpost", program, 0o700)?;
    if let Some(token) = token {
        // A file, since arguments and environments can be seen by others on the host.
        add(TOKEN_FILE, token.secret().as_bytes(), 0o600)?;
    }
    add("load.yml", portable.text.as_bytes(), 0o600)?;
    for (name, bytes) in &portable.files {
        add(name, bytes, 0o600)?;
    }
    let mut packed = archive.into_inner()?;
    packed.flush()?;
    packed.finish()
}

fn command_line(args: &Bench, script: &Script, numbers: &[usize], token: bool) -> String {
    let is_here = |scenario: &str| {
        numbers.iter().any(|number| script.executions[*number].scenario.name == scenario)
    };
    let rates = args.rate.iter().filter_map(|rate| match &rate.scenario {
        Some(scenario) if !is_here(scenario) => None,
        Some(scenario) => Some(format!("{scenario}={}", rate.per_second)),
        None => Some(rate.per_second.to_string()),
    });
    let options = rates.flat_map(|rate| ["--rate".to_owned(), quote(&rate)]);
    let token = token.then(|| format!("--token-file {TOKEN_FILE}"));
    let run = RUN.replace("PROCESSOR", std::env::consts::ARCH);
    std::iter::once(run).chain(token).chain(options).collect::<Vec<_>>().join(" ")
}
