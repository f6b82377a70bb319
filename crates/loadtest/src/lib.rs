//! A load test: a script in Taurus syntax, virtual users that follow it, and their results.
//!
//! ```text
//! script        the file -> Script, every problem reported at once
//! pace          when a request is sent
//! timer         waiting for that moment exactly
//! request       the bytes of a request
//! exchange      sending a request and receiving the response
//! connection    the connection of a virtual user
//! virtual_user  a virtual user from its start to its end
//! stats         samples
//! running       an execution while it runs, shared by its virtual users
//! collector     what an execution has measured, second by second
//! passfail      pass/fail criteria
//! run           all users of all executions
//! live          the progress of an execution
//! results       the results
//! machine       the machine that requests were sent from
//! page          the results as a page with charts
//! job           a load test for another machine, and what that machine sends back
//! ```
//!
//! `main.rs` is the program that runs a job on a host.

mod collector;
mod connection;
mod exchange;
pub mod job;
mod live;
mod machine;
mod pace;
pub mod page;
mod passfail;
mod request;
pub mod results;
mod run;
mod running;
pub mod script;
mod stats;
mod timer;
mod virtual_user;

pub use run::{RunResult, run};

/// The time, as results have it (RFC 3339, UTC, to the second).
pub fn now() -> String {
    jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap_or_default().to_string()
}

/// Why a load test cannot run.
#[derive(Debug, thiserror::Error)]
pub enum LoadTestError {
    /// The system refused a timer.
    #[error("the load test cannot run: {0}")]
    System(std::io::Error),
    /// There are more users than files that may be open.
    #[error(
        "{users} users need a connection each, and this process may open {room}: raise the limit \
         on open files (`ulimit -n`), or reduce `concurrency`"
    )]
    TooManyUsers {
        /// The users of all executions.
        users: usize,
        /// How many connections may be open.
        room: usize,
    },
}
