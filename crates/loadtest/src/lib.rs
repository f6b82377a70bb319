//! A load test: a script in Taurus syntax, users that follow it, and what they measured.
//!
//! ```text
//! script      the file -> Script, every problem reported at once
//! pace        when a request is sent
//! timer       waiting for that moment exactly
//! request     a request's bytes
//! exchange    a request out, its answer in
//! connection  one user's connection
//! user        one user from its start to its end
//! stats       what was measured
//! load        one execution while it runs, shared by its users
//! run         all users of all executions, collected once a second
//! live        what is shown meanwhile
//! judge       pass/fail criteria
//! outcome     the result
//! machine     the machine it came from
//! page        the result as a page with charts
//! job         a load test for another machine, and what that machine sends back
//! ```

mod connection;
mod exchange;
pub mod job;
mod judge;
mod live;
mod load;
mod machine;
pub mod outcome;
mod pace;
pub mod page;
mod request;
mod run;
pub mod script;
mod stats;
mod timer;
mod user;

pub use run::{Ran, run};

/// The time, as results say it (RFC 3339, UTC, to the second).
pub fn now() -> String {
    jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap_or_default().to_string()
}

/// Why a load could not be put on.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The system refused something that it takes.
    #[error("the load cannot run: {0}")]
    System(std::io::Error),
    /// More users than files that may be open.
    #[error(
        "{users} users need a connection each, and this process may have {room}: raise the limit \
         on open files (`ulimit -n`), or have fewer users"
    )]
    Files {
        /// Users of all executions.
        users: usize,
        /// Connections that there is room for.
        room: usize,
    },
}
