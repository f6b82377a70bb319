//! Runs the load test from the services' own hosts: uploads the load-test program with the part
//! of the script that is for a host's service, runs it, and removes it.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::try_join_all;
use loadtest::job::{Job, Message};
use loadtest::results::Results;
use loadtest::script::Script;
use ssh::{Command, Progress, quote};
use support::event::{Event, EventSink, Reporter};
use support::wait::Deadline;

use super::target::StackHosts;
use crate::binary::LOAD_TEST;
use crate::error::Error;
use crate::session::ServiceHost;

/// Runs the load test on a host; reads the archive of [`payload`].
const RUN: &str = include_str!("../../../templates/load-test.sh");

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long uploading and removing may take in addition to the load test.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a load test may take that ends after a number of iterations.
const ITERATIONS_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// The executions that one host runs.
struct HostRun<'a> {
    host: &'a ServiceHost,
    /// The host's name in messages.
    name: String,
    /// The numbers of its executions in the script.
    executions: Vec<usize>,
}

/// Runs the script on all hosts at the same time, and joins their results.
pub(super) async fn measure(
    script: &Script,
    targets: &StackHosts,
    program: &[u8],
    sink: &dyn EventSink,
) -> Result<Results, Error> {
    let runs: Vec<_> = targets.hosts.iter().filter_map(|host| HostRun::new(script, host)).collect();
    let results = runs.iter().map(|run| async move {
        let url = format!("http://127.0.0.1:{}", run.host.service.port);
        let job = Job::new(script, &run.executions, &url, targets.token.as_ref());
        let payload = payload(program, &job).map_err(Error::Runtime)?;
        let results = run.measure(script, payload, sink).await?;
        Ok::<_, Error>((run, results))
    });
    Ok(joined(try_join_all(results).await?))
}

/// Joins the hosts' results, with the executions in the script's order.
fn joined(results: Vec<(&HostRun<'_>, Results)>) -> Results {
    let mut all = Results::empty();
    let mut executions = Vec::new();
    for (run, results) in results {
        all.machines.extend(results.machines);
        executions.extend(run.executions.iter().zip(results.executions));
        all.criteria.extend(results.criteria);
    }
    executions.sort_by_key(|(number, _)| **number);
    all.executions = executions.into_iter().map(|(_, execution)| execution).collect();
    all
}

impl<'a> HostRun<'a> {
    /// The executions for the host's service, if there are any.
    fn new(script: &Script, host: &'a ServiceHost) -> Option<Self> {
        let executions = script.executions_of(&host.service.collection());
        let name = format!("{} host", host.service.name);
        (!executions.is_empty()).then_some(Self { host, name, executions })
    }

    async fn measure(
        &self,
        script: &Script,
        payload: Vec<u8>,
        sink: &dyn EventSink,
    ) -> Result<Results, Error> {
        let reporter = Reporter::new(sink, &self.name);
        reporter.step("connecting");
        let deadline = Deadline::after(CONNECT_TIMEOUT);
        let connected = ssh::connect(&self.host.target, deadline, reporter).await;
        let connected = connected.inspect_err(|error| reporter.failed(error.to_string()))?;
        reporter.step("uploading the load-test program");
        let total = payload.len() as u64;
        let timeout = script.max_duration().unwrap_or(ITERATIONS_TIMEOUT) + UPLOAD_TIMEOUT;
        let command = Command::new(command_line()).stdin(payload).within(timeout);
        let mut results = None;
        let report = |progress| match progress {
            Progress::Sent(bytes) => {
                reporter.bytes("uploading the load-test program", bytes as u64, total);
            }
            Progress::Line(line) => match serde_json::from_str(&line) {
                Ok(Message::Event(Event { subject, kind })) => {
                    sink.emit(Event { subject: format!("{subject} on host"), kind });
                }
                Ok(Message::Results(it)) => results = Some(*it),
                Err(_) => reporter.detail(line),
            },
            Progress::Stdout(_) | Progress::Stderr(_) => {}
        };
        let ran = connected.run_watching("running the load test", command, report).await;
        ran.inspect_err(|error| reporter.failed(error.to_string()))?;
        let results = results.filter(|it| it.executions.len() == self.executions.len());
        let results = results.ok_or_else(|| {
            Error::Failed(format!("{}: the load test ended without results", self.name))
        });
        let results = results.inspect_err(|error| reporter.failed(error.to_string()))?;
        reporter.done("received the results");
        Ok(self.named(results))
    }

    /// Names the host in its result.
    fn named(&self, mut results: Results) -> Results {
        for machine in &mut results.machines {
            machine.name.clone_from(&self.name);
        }
        for criterion in &mut results.criteria {
            criterion.from = Some(self.name.clone());
        }
        results
    }
}

/// The program and its job, packed for [`RUN`].
fn payload(program: &[u8], job: &Job) -> std::io::Result<Vec<u8>> {
    let job = serde_json::to_vec(job)?;
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |name: &str, bytes: &[u8], mode: u32| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        archive.append_data(&mut header, name, bytes)
    };
    add(LOAD_TEST, program, 0o700)?;
    // A file, since other users of the host can see arguments and environments.
    add("job.json", &job, 0o600)?;
    let mut packed = archive.into_inner()?;
    packed.flush()?;
    packed.finish()
}

fn command_line() -> String {
    format!("sh -c {} sh {}", quote(RUN), std::env::consts::ARCH)
}
