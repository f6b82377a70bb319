//! What the EventPost services share. A service brings its model (a [`Resource`])
//! and calls [`run()`]; everything else is here.
//!
//! A request flows through the modules in this order:
//!
//! ```text
//! run        command line, logging, exit code (system: limits, signals; ask: the service
//!            that runs already)
//! data_dir   the locked data folder (private: files that only their owner can use; file:
//!            replacing them)
//! server     sockets, connection limits, draining
//! http       routing, conditions, bodies, answers
//! access     who may send a request: tokens, roles, pages of other origins
//! extension  what a service does besides storing (follow: an index of its documents)
//! resource   validation of a body into a model (fields, datetime)
//! json       the bytes of an answer
//! writes     whether writes are taken
//! store      durable storage of those bytes
//! metrics    counts and times, as Prometheus reads them
//! access_log a line for each request (terminal: text that others wrote, escaped)
//! ```

pub mod access;
mod access_log;
mod ask;
pub mod data_dir;
pub mod datetime;
pub mod extension;
pub mod fields;
pub mod file;
pub mod follow;
mod hex;
mod http;
pub mod id;
pub mod json;
mod metrics;
pub mod private;
mod resource;
mod run;
mod server;
pub mod store;
pub mod system;
pub mod terminal;
pub mod writes;

pub use access_log::{AccessLog, LogFormat, Logged};
pub use extension::{Extension, Plain};
pub use http::{Api, ApiParts, BodyLimits, Content, ContentError, Handling};
pub use id::ObjectId;
pub use resource::Resource;
pub use run::run;
pub use server::{Limits, ServerMetrics, serve};
