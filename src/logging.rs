//! Logs to standard error what the command does, if `-v`, `-vv` or `RUST_LOG` asks for it. A line
//! does not break the live display, has no control characters, and holds no secret.

use std::io::{self, Write};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::doctor::Redactor;
use crate::environment::SECRETS;
use crate::progress;
use crate::terminal;

/// The variable that selects parts and levels, such as `ssh=debug,aws_config=debug`.
const VARIABLE: &str = "RUST_LOG";

/// The project's own crates that the command consists of.
const OWN: [&str; 6] = ["eventpost", "ec2", "loadtest", "rest", "ssh", "support"];
/// Those crates of AWS's SDK that log calls.
const SDK: [&str; 4] = ["aws_config", "aws_runtime", "aws_sdk_ec2", "aws_smithy_runtime"];

/// Starts logging if `RUST_LOG` or `-v` asks for it; `verbose` is how often `-v` was given.
/// `RUST_LOG` takes precedence. If it is not valid, a warning says so and `-v` counts: the
/// variable may be meant for another program.
pub fn init(verbose: u8) {
    let given = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let given = given.and_then(|text| {
        let ignored = |error| warn(&format!("{VARIABLE}=`{text}` is ignored: {error}"));
        text.parse::<Targets>().map_err(ignored).ok()
    });
    let Some(targets) = given.or_else(|| (verbose > 0).then(|| targets(verbose))) else { return };
    let redactor = Redactor::new(SECRETS.iter().filter_map(|name| std::env::var(name).ok()));
    let lines =
        fmt::layer().with_timer(fmt::time::uptime()).with_ansi(false).with_writer(Log(redactor));
    // What libraries log below this level includes signed requests with private keys in them.
    let levels = targets.clone();
    let _ =
        tracing_subscriber::registry().with(LevelFilter::DEBUG).with(levels).with(lines).try_init();
}

fn warn(problem: &str) {
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    let problem = terminal::escape(problem);
    // If even this fails, nobody can be warned.
    let _ = writeln!(anstream::stderr(), "{yellow}warning:{yellow:#} {problem}");
}

fn targets(verbose: u8) -> Targets {
    let own = if verbose > 1 { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let sdk = if verbose > 1 { LevelFilter::DEBUG } else { LevelFilter::WARN };
    let own = OWN.into_iter().map(|name| (name, own));
    Targets::new().with_targets(own.chain(SDK.into_iter().map(|name| (name, sdk))))
}

/// Writes log lines above the live display.
struct Log(Redactor);

/// A log line that is being written.
struct Line<'a>(&'a Redactor);

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(&self.0)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = self.0.clean(&terminal::escape(&String::from_utf8_lossy(line)));
        progress::above(|| io::stderr().lock().write_all(text.as_bytes()))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn each_v_says_more() {
        let (info, debug) = (targets(1), targets(2));
        assert!(info.would_enable("ssh", &Level::INFO));
        assert!(!info.would_enable("ssh", &Level::DEBUG));
        assert!(!info.would_enable("aws_smithy_runtime::client", &Level::DEBUG));
        assert!(debug.would_enable("ssh::connect", &Level::DEBUG));
        assert!(debug.would_enable("aws_smithy_runtime::client", &Level::DEBUG));
        assert!(!debug.would_enable("hyper", &Level::DEBUG));
    }
}
