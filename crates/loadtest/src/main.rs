//! `eventpost-load`: runs the load test that it reads from standard input. `eventpost bench
//! --from host` sends it to the services' hosts.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use loadtest::job::{Job, Message};
use loadtest::results::{HOST, Machine, Results};
use support::event::{Event, EventSink};

/// Prints events as lines of JSON.
struct Lines;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let job: Job = serde_json::from_reader(io::stdin().lock())
        .map_err(|error| format!("cannot read the load test from standard input: {error}"))?;
    let script = job.into_script()?;
    let ran = loadtest::run(&script, HOST, &Lines, std::future::pending::<()>()).await?;
    print(&Message::Results(Box::new(Results {
        machines: vec![Machine::this(HOST)],
        executions: ran.executions,
        criteria: ran.criteria,
        ..Results::empty()
    })));
    Ok(())
}

impl EventSink for Lines {
    fn emit(&self, event: Event) {
        print(&Message::Event(event));
    }
}

/// Prints a line. When nobody reads it, the connection is gone and the load must end.
fn print(message: &Message) {
    let mut line = serde_json::to_vec(message).expect("messages have no maps with other keys");
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    if stdout.write_all(&line).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(1);
    }
}
