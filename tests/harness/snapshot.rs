//! Compares what a program prints with the files in tests/snapshots. To accept what it prints now:
//! `INSTA_UPDATE=always cargo test --test main -- NAME`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::cli::{Ran, World};

/// Patterns of what differs between runs, and what a snapshot has instead.
const VOLATILE: [(&str, &str); 12] = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[WHEN]"),
    (r"\bpid \d+", "pid [PID]"),
    // Of a row of `status`: the columns PID and UPTIME.
    (r"(http://\S+ +)\d+ +\d+ s +", "$1[PID]  [TIME]  "),
    (r"\.eventpost-\w{6}\b", ".eventpost-[RANDOM]"),
    (r"\d+ bytes free", "[N] bytes free"),
    (r"PID +UPTIME +", "PID    UPTIME  "),
    (r"\((\d+ m )?\d+(\.\d+)? m?s\)", "([TIME])"),
    (r"\b[0-9a-f]{64}\b", "[SHA-256]"),
    (r"\b[0-9a-f]{24}\b", "[ID]"),
    (r"\d+ % full", "[N] % full"),
    (r"\bi-[0-9a-f]{17}\b", "[INSTANCE]"),
    (r"`up` took [^.]+(\.\d+)? s", "`up` took [TIME]"),
];

/// Compares what a program printed with the snapshot of a name in a folder.
pub(crate) fn assert_printed(folder: &str, name: &str, text: &str) {
    assert_filtered(folder, name, text, &VOLATILE);
}

/// Compares a text that is the same in every run with the snapshot of a name in a folder.
pub(crate) fn assert_text(folder: &str, name: &str, text: &str) {
    assert_filtered(folder, name, text, &[]);
}

/// The names of the snapshots in a folder.
pub(crate) fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(path(folder)).unwrap().map(|entry| entry.unwrap().file_name());
    let name = |file: OsString| Some(file.to_str()?.strip_suffix(".snap")?.to_owned());
    entries.filter_map(name).collect()
}

fn path(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(folder)
}

fn assert_filtered(folder: &str, name: &str, text: &str, filters: &[(&str, &str)]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(path(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, replacement) in filters {
        settings.add_filter(pattern, *replacement);
    }
    settings.bind(|| insta::assert_snapshot!(name, text));
}

impl World {
    /// Compares what a run printed, and its exit code, with the snapshot of a name in a folder.
    pub(crate) fn assert_shown(&self, folder: &str, name: &str, ran: &Ran) {
        let code = ran.code.map_or("none".to_owned(), |code| code.to_string());
        let stdout = self.without_places(&ran.stdout);
        let stderr = self.without_places(&ran.stderr);
        let stderr = if ran.code == Some(0) { by_service(&stderr) } else { from_error(&stderr) };
        let text = format!("exit code: {code}\n--- stdout\n{stdout}--- stderr\n{stderr}");
        assert_printed(folder, name, &text);
    }

    /// Replaces this world's folder and ports by names; those of ports are as long as ports.
    fn without_places(&self, text: &str) -> String {
        let mut text = text.replace(&self.path().display().to_string(), "[DIR]");
        for (n, port) in (self.port..self.port + 3).enumerate() {
            text = text.replace(&port.to_string(), &format!("PORT{n}"));
        }
        text
    }
}

/// Services are started side by side: sorts the lines by service, and keeps the order of each.
fn by_service(text: &str) -> String {
    let service = |line: &&str| {
        let before = line.split(':').next().unwrap();
        ["events", "notifications"].iter().position(|name| before == *name).unwrap_or(2)
    };
    // Steps that take long on a slow machine print another line.
    let mut lines: Vec<_> = text.lines().filter(|line| !line.contains(": still ")).collect();
    lines.sort_by_key(service);
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// The error alone: how far other services were when a run failed depends on timing.
fn from_error(text: &str) -> String {
    text.lines()
        .skip_while(|line| !line.starts_with("error:"))
        .flat_map(|line| [line, "\n"])
        .collect()
}
