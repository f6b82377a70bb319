//! What the EventPost services share. A service brings its kind of resource (a [`Resource`]) and
//! calls [`run()`]; everything else is here.
//!
//! A request flows through the modules in this order:
//!
//! ```text
//! run        command line, logging, exit codes (system: limits and signals; control: the
//!            service that is already running)
//! data_dir   the locked data folder (private: files that only their owner can use; file:
//!            replacing them)
//! server     sockets, connection limits, draining
//! http       routing, conditions, bodies, answers
//! access     who may send a request: tokens, roles, origins of pages
//! extension  what a service does besides storing (follow: an index of its documents)
//! resource   validation of a body into a resource (fields, datetime)
//! json       the bytes of an answer
//! writes     whether writes are accepted (readiness: what /readyz says of it)
//! store      durable storage of those bytes
//! metrics    counters and histograms for Prometheus
//! access_log a line for each request (terminal: text from outside, escaped)
//! ```

pub mod access;
mod access_log;
mod control;
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
mod readiness;
mod resource;
mod run;
mod server;
pub mod store;
pub mod system;
pub mod terminal;
pub mod writes;

pub use access_log::{AccessLog, LogFormat, LoggedRequests};
pub use extension::{Extension, NoExtension};
pub use http::{Api, ApiParts, BodyLimits, Content, ContentError, ResponseFuture};
pub use id::ObjectId;
pub use readiness::Readiness;
pub use resource::Resource;
pub use run::run;
pub use server::{Limits, ServerMetrics, serve};
