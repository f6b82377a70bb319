//! EventPost's deployment command: it puts the events and notifications services
//! on hosts or this machine, keeps them running, and reports their health.
//!
//! The data flows through the modules in this order, and imports point one way:
//!
//! ```text
//! cli        the command line
//! commands   one file or folder per command, each a pipeline of what follows
//! session    what a command works with: Config, placement, display, signals, lock
//! config     eventpost.yml -> Config, every problem reported at once
//! fixtures   seed data -> Fixtures
//! binary     a service's program: built from source or found
//! image      a program as a container image, without Docker
//! plan       pure: what is wanted + what exists -> Plan, a list of operations
//! local      services as processes of this machine
//! docker     Docker, images and containers on a Host
//! deploy     one service onto one new host, step by step
//! health     waits until a service is ready -> Ready
//! backup     one file with a copy of each service's data
//! seed       puts fixtures into a service that is Ready
//! report     results on standard output
//! ```
//!
//! Beside them: `access` (tokens), `secrets`, `lock` (the right to change a stack), `doctor`
//! (judges what hosts report), `error` (errors and their exit codes), `terminal` (text from
//! outside is escaped), `environment` (the variables of child processes), `progress` (how events
//! are shown), `logging` (what `-v` shows), `version` and `signals`. Hosts (`ssh`), EC2 (`ec2`),
//! load tests (`loadtest`) and what these need (`support`) are crates of their own.

pub mod access;
pub mod backup;
pub mod binary;
pub mod cli;
mod commands;
pub mod config;
pub mod deploy;
pub mod docker;
pub mod doctor;
pub mod environment;
pub mod error;
pub mod fixtures;
pub mod health;
pub mod image;
pub mod local;
pub mod lock;
pub mod logging;
pub mod plan;
pub mod progress;
pub mod report;
pub mod secrets;
pub mod seed;
mod session;
mod signals;
pub mod terminal;
pub mod version;

pub use commands::run;
