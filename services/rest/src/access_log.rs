//! Writes the access log: one line on standard output for each request. A thread of its own
//! writes the lines, so that no request waits for the log's reader; when the reader is too
//! slow, lines are dropped and counted.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use serde::Serialize;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use crate::metrics;
use crate::terminal;

/// The lines that may wait to be written, some 2 MiB.
const MAX_WAITING_LINES: usize = 8192;
/// The bytes that are written at once.
const BUFFER_BYTES: usize = 64 << 10;
/// How long the end of the log waits for its reader.
const MAX_FLUSH_TIME: Duration = Duration::from_secs(2);

/// The requests that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoggedRequests {
    /// None.
    Off,
    /// Those that failed in the service: status 500 and above.
    Failed,
    /// All.
    All,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// A request and its answer.
#[derive(Debug, Serialize)]
pub(crate) struct AccessLogEntry<'a> {
    pub(crate) time: String,
    pub(crate) remote: SocketAddr,
    /// The client, if a trusted proxy names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<IpAddr>,
    pub(crate) method: &'a str,
    /// The path, and the query as it was sent if it holds no secret.
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    /// The length of the body, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    /// The time until the answer was ready to be sent, in microseconds.
    pub(crate) micros: u64,
    pub(crate) request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<&'a str>,
}

/// The access log. When it is dropped, the waiting lines are written, unless that takes longer
/// than two seconds.
#[derive(Debug)]
pub struct AccessLog {
    logged: LoggedRequests,
    format: LogFormat,
    worker: Option<Worker>,
}

/// The thread that writes, and the way to it.
#[derive(Debug)]
struct Worker {
    lines: NonBlocking,
    /// Ends the thread when it is dropped.
    guard: Option<WorkerGuard>,
}

/// The metrics of an access log.
#[derive(Debug)]
pub(crate) struct AccessLogMetrics(Option<ErrorCounter>);

impl AccessLog {
    /// A log on standard output.
    pub fn start(logged: LoggedRequests, format: LogFormat) -> Self {
        let worker = (logged != LoggedRequests::Off).then(|| Worker::start(io::stdout()));
        Self { logged, format, worker }
    }

    /// Whether a request with this status is logged.
    pub(crate) fn includes(&self, status: u16) -> bool {
        match self.logged {
            LoggedRequests::Off => false,
            LoggedRequests::Failed => status >= 500,
            LoggedRequests::All => true,
        }
    }

    pub(crate) fn write(&self, entry: &AccessLogEntry<'_>) {
        let Some(worker) = &self.worker else { return };
        let line = match self.format {
            LogFormat::Text => entry.text(),
            LogFormat::Json => entry.json(),
        };
        // A lossy writer drops lines instead of failing.
        let _ = worker.lines.clone().write_all(line.as_bytes());
    }

    pub(crate) fn metrics(&self) -> AccessLogMetrics {
        AccessLogMetrics(self.worker.as_ref().map(|worker| worker.lines.error_counter()))
    }
}

impl Worker {
    /// Starts the thread. It writes as many lines at once as are waiting.
    fn start(out: impl Write + Send + 'static) -> Self {
        let (lines, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(MAX_WAITING_LINES)
            .thread_name("access-log")
            .finish(BufWriter::with_capacity(BUFFER_BYTES, out));
        Self { lines, guard: Some(guard) }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let guard = self.guard.take();
        let (done, finished) = mpsc::channel();
        // The guard itself writes to standard output if the thread is stuck there, and then is
        // stuck too: a service must stop even if nobody reads its log.
        let flush = move || {
            drop(guard);
            let _ = done.send(());
        };
        if thread::Builder::new().name("access-log-flush".into()).spawn(flush).is_ok() {
            let _ = finished.recv_timeout(MAX_FLUSH_TIME);
        }
    }
}

impl Collector for AccessLogMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let dropped = self.0.as_ref().map_or(0, ErrorCounter::dropped_lines);
        let help = "Lines of the access log that were dropped because its reader is too slow.";
        metrics::counter(&mut encoder, "eventpost_access_log_dropped", help, dropped as u64)
    }
}

impl AccessLogEntry<'_> {
    fn text(&self) -> String {
        let Self { time, remote, method, path, status, micros, request_id, .. } = self;
        let took = Duration::from_micros(*micros);
        let bytes = self.bytes.map_or("-".into(), |bytes| bytes.to_string());
        // A path may hold any character above ASCII, and so terminal control sequences.
        let path = terminal::escape_line(path);
        let trace = self.trace_id.map_or(String::new(), |trace| format!(" trace={trace}"));
        let client = self.client.map_or(String::new(), |client| format!(" client={client}"));
        format!(
            "{time} {remote} {method} {path} {status} {bytes} {took:?} \
             request={request_id}{trace}{client}\n"
        )
    }

    fn json(&self) -> String {
        let text = serde_json::to_string(self).expect("strings and numbers are JSON");
        terminal::escape_json(text) + "\n"
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    fn entry() -> AccessLogEntry<'static> {
        AccessLogEntry {
            time: "2026-01-02T03:04:05.678Z".into(),
            remote: "127.0.0.1:5000".parse().unwrap(),
            client: None,
            method: "GET",
            path: "/events?\"",
            status: 200,
            bytes: None,
            micros: 1234,
            request_id: "abc",
            trace_id: Some("def"),
        }
    }

    /// A writer that blocks until what it writes is received.
    struct Blocking(SyncSender<Vec<u8>>);

    impl Write for Blocking {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() -> (AccessLog, Receiver<Vec<u8>>) {
        let (written, received) = sync_channel(0);
        let worker = Some(Worker::start(Blocking(written)));
        let (logged, format) = (LoggedRequests::All, LogFormat::Text);
        (AccessLog { logged, format, worker }, received)
    }

    #[test]
    fn a_line_describes_the_request_in_both_formats() {
        assert_eq!(
            entry().text(),
            "2026-01-02T03:04:05.678Z 127.0.0.1:5000 GET /events?\" 200 - 1.234ms request=abc trace=def\n"
        );
        let json: serde_json::Value = serde_json::from_str(&entry().json()).unwrap();
        assert_eq!(json["path"], "/events?\"");
        assert_eq!(json["micros"], 1234);
        assert_eq!((json.get("bytes"), json.get("client")), (None, None));
        let client = "192.0.2.1".parse().ok();
        let forwarded = AccessLogEntry { client, ..entry() };
        assert!(forwarded.text().ends_with(" trace=def client=192.0.2.1\n"));
    }

    #[test]
    fn a_path_cannot_control_the_terminal_that_shows_the_log() {
        // CSI as one character of ISO 6429, and text from right to left.
        let entry = AccessLogEntry { path: "/events/\u{9b}2J\u{202e}é", ..entry() };
        assert!(entry.text().contains(" /events/\\u{9b}2J\\u{202e}é "), "{}", entry.text());
        let json = entry.json();
        assert!(json.contains("/events/\\u009b2J\\u202eé"), "{json}");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["path"], entry.path);
    }

    #[test]
    fn waiting_lines_are_written_in_order_when_the_log_is_dropped() {
        let (log, received) = log();
        for status in 200..203 {
            log.write(&AccessLogEntry { status, ..entry() });
        }
        let reader = std::thread::spawn(move || received.iter().flatten().collect::<Vec<u8>>());
        drop(log);
        let text = String::from_utf8(reader.join().unwrap()).unwrap();
        let statuses: Vec<_> = text.lines().filter_map(|line| line.split(' ').nth(4)).collect();
        assert_eq!(statuses, ["200", "201", "202"]);
    }

    #[test]
    fn lines_that_nobody_reads_are_dropped_and_counted() {
        let (log, received) = log();
        let dropped = || log.metrics().0.unwrap().dropped_lines();
        // Those in the worker's buffer wait, too.
        let lines = MAX_WAITING_LINES + BUFFER_BYTES / entry().text().len() + 10;
        for _ in 0..lines {
            log.write(&entry());
        }
        assert!((1..lines).contains(&dropped()), "{}", dropped());
        drop(received);
    }

    #[test]
    fn only_the_chosen_requests_are_logged() {
        for (logged, failed, successful) in [
            (LoggedRequests::Off, false, false),
            (LoggedRequests::Failed, true, false),
            (LoggedRequests::All, true, true),
        ] {
            let log = AccessLog { logged, format: LogFormat::Text, worker: None };
            assert_eq!((log.includes(507), log.includes(404)), (failed, successful), "{logged:?}");
        }
    }
}
