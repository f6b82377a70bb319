//! EventPost's deployment command: it puts the events and notifications services
//! on hosts or this machine, keeps them running, and reports their health.
//!
//! Each module imports only modules that stand below it:
//!
//! ```text
//! commands     one file or folder per command, each a pipeline of what follows
//! session      what a command works with: Config, placement, display, signals, lock
//! logging      what `-v` shows
//! lock         the right to change a stack
//! report       results on standard output
//! cli          the command line
//! deploy       one service onto one new host, step by step
//! error        errors and their exit codes
//! doctor       judges what hosts report
//! seed         puts fixtures into a service that is Ready
//! backup       one file with a copy of each service's data
//! binary       a service's program: built from source or found
//! docker       Docker, images and containers on a Host
//! local        services as processes of this machine
//! access       the tokens of a stack
//! health       waits until a service is ready -> Ready
//! image        a program as a container image, without Docker
//! plan         pure: what is wanted + what exists -> Plan, a list of operations
//! secrets      reads the secrets of services
//! fixtures     seed data -> Fixtures
//! config       eventpost.yml -> Config, every problem reported at once
//! progress     shows events while the work goes on
//! environment  the variables of child processes
//! terminal     text from outside is escaped
//! signals      Ctrl-C and SIGTERM end the work
//! version      which version this is
//! ```
//!
//! Hosts (`ssh`), EC2 (`ec2`), load tests (`loadtest`) and what these need (`support`) are crates of
//! their own.

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
