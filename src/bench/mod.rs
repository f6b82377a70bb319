//! This module owns the load test: a script in Taurus syntax, users that follow it, and
//! what they measured.
//!
//! ```text
//! script      the file -> Script, every problem reported at once
//! pace        when a request may be sent
//! connection  one user's connection
//! user        one user from its start to its end
//! stats       what was measured
//! run         all users of all executions
//! ```

mod connection;
mod pace;
mod run;
pub mod script;
mod stats;
mod user;

pub use run::{Measured, run};
pub use stats::{LabelStats, Stats};
