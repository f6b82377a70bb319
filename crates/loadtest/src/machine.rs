//! Describes the machine that requests are sent from: results mean little without it.

use std::fs;

use super::results::Machine;

impl Machine {
    /// Describes this machine, under a name.
    pub fn this(name: &str) -> Self {
        Self {
            name: name.into(),
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory().unwrap_or_default(),
            kernel: read("/proc/sys/kernel/osrelease"),
        }
    }
}

/// The memory in bytes; the kernel reports it in KiB (proc(5)).
fn memory() -> Option<u64> {
    let text = field("/proc/meminfo", "MemTotal")?;
    Some(text.split(' ').next()?.parse::<u64>().ok()? * 1024)
}

/// The first value of a name in a file of `NAME: VALUE` lines.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let mut values = text.lines().filter_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    });
    values.next()
}

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default().trim().into()
}
