//! Writes the access log: one line on standard output for each request. A thread of its own
//! writes the lines, so that no request waits for the reader; when the reader is too slow,
//! lines are dropped and counted.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::terminal;

/// Lines that may wait to be written, some 2 MiB.
const WAITING: usize = 8192;
/// Bytes that are written at once at most.
const WRITE_BYTES: usize = 64 << 10;

/// Which requests have a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Logged {
    /// None.
    Off,
    /// Those that the service failed to carry out: status 500 and above.
    Failed,
    /// All.
    All,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// A request and its answer.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) time: String,
    pub(crate) remote: SocketAddr,
    pub(crate) method: &'a str,
    /// The path and query as they were sent.
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    /// Of the body, where its length is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    /// Until the answer was ready to be sent, in microseconds.
    pub(crate) micros: u64,
    pub(crate) request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<&'a str>,
}

/// The log; dropping it writes what waits.
#[derive(Debug)]
pub struct AccessLog {
    logged: Logged,
    format: LogFormat,
    lines: Option<SyncSender<String>>,
    thread: Option<JoinHandle<()>>,
    dropped: AtomicU64,
}

impl AccessLog {
    /// A log on standard output. Fails only where the system has no thread for it.
    pub fn start(logged: Logged, format: LogFormat) -> io::Result<Self> {
        let mut log =
            Self { logged, format, lines: None, thread: None, dropped: AtomicU64::new(0) };
        if logged != Logged::Off {
            let (lines, waiting) = sync_channel(WAITING);
            let thread = thread::Builder::new().name("access-log".into());
            log.thread = Some(thread.spawn(move || write_lines(&waiting, &mut io::stdout()))?);
            log.lines = Some(lines);
        }
        Ok(log)
    }

    /// Whether an answer of this status has a line.
    pub(crate) fn wants(&self, status: u16) -> bool {
        match self.logged {
            Logged::Off => false,
            Logged::Failed => status >= 500,
            Logged::All => true,
        }
    }

    pub(crate) fn write(&self, line: &Line<'_>) {
        let Some(lines) = &self.lines else { return };
        let text = match self.format {
            LogFormat::Text => line.text(),
            LogFormat::Json => line.json(),
        };
        if lines.try_send(text).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been printed when it happened.
            let _ = thread.join();
        }
    }
}

impl Line<'_> {
    fn text(&self) -> String {
        let Self { time, remote, method, path, status, micros, request_id, .. } = self;
        let took = Duration::from_micros(*micros);
        let bytes = self.bytes.map_or("-".into(), |bytes| bytes.to_string());
        // A path may hold any character above ASCII, and thereby commands to a terminal.
        let path = terminal::escape_line(path);
        let trace = self.trace_id.map_or(String::new(), |trace| format!(" trace={trace}"));
        format!(
            "{time} {remote} {method} {path} {status} {bytes} {took:?} request={request_id}{trace}\n"
        )
    }

    fn json(&self) -> String {
        let text = serde_json::to_string(self).expect("strings and numbers are JSON");
        terminal::escape_json(text) + "\n"
    }
}

/// Writes lines until their senders are gone, as many at once as there are.
fn write_lines(waiting: &Receiver<String>, out: &mut impl Write) {
    let mut text = String::new();
    while let Ok(line) = waiting.recv() {
        text.push_str(&line);
        while text.len() < WRITE_BYTES
            && let Ok(line) = waiting.try_recv()
        {
            text.push_str(&line);
        }
        // Nobody is left to be told that nobody reads the log.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        text.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line<'static> {
        Line {
            time: "2026-01-02T03:04:05.678Z".into(),
            remote: "127.0.0.1:5000".parse().unwrap(),
            method: "GET",
            path: "/events?\"",
            status: 200,
            bytes: None,
            micros: 1234,
            request_id: "abc",
            trace_id: Some("def"),
        }
    }

    #[test]
    fn a_line_names_the_request_in_both_formats() {
        assert_eq!(
            line().text(),
            "2026-01-02T03:04:05.678Z 127.0.0.1:5000 GET /events?\" 200 - 1.234ms request=abc trace=def\n"
        );
        let json: serde_json::Value = serde_json::from_str(&line().json()).unwrap();
        assert_eq!(json["path"], "/events?\"");
        assert_eq!(json["micros"], 1234);
        assert_eq!(json.get("bytes"), None);
    }

    #[test]
    fn a_path_cannot_command_the_terminal_that_shows_the_log() {
        // CSI as one character of ISO 6429, and text from right to left.
        let line = Line { path: "/events/\u{9b}2J\u{202e}é", ..line() };
        assert!(line.text().contains(" /events/\\u{9b}2J\\u{202e}é "), "{}", line.text());
        let json = line.json();
        assert!(json.contains("/events/\\u009b2J\\u202eé"), "{json}");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["path"], line.path);
    }

    #[test]
    fn what_waits_is_written_in_order() {
        let (lines, waiting) = sync_channel(10);
        for n in 0..3 {
            lines.send(format!("{n}\n")).unwrap();
        }
        drop(lines);
        let mut out = Vec::new();
        write_lines(&waiting, &mut out);
        assert_eq!(out, b"0\n1\n2\n");
    }

    #[test]
    fn lines_nobody_reads_in_time_are_dropped_and_counted() {
        let mut log = AccessLog::start(Logged::Off, LogFormat::Text).unwrap();
        let (lines, _waiting) = sync_channel(1);
        log.lines = Some(lines);
        log.write(&line());
        assert_eq!(log.dropped(), 0);
        log.write(&line());
        assert_eq!(log.dropped(), 1);
    }

    #[test]
    fn only_the_requests_that_were_asked_for_have_a_line() {
        for (logged, failed, fine) in
            [(Logged::Off, false, false), (Logged::Failed, true, false), (Logged::All, true, true)]
        {
            let log = AccessLog::start(logged, LogFormat::Text).unwrap();
            assert_eq!((log.wants(507), log.wants(404)), (failed, fine), "{logged:?}");
        }
    }
}
