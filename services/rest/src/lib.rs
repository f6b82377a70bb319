//! What the EventPost services share. A service brings its kind of resource (a [`Resource`]) and
//! calls [`run()`]; everything else is here.
//!
//! Each module imports only modules that stand below it:
//!
//! ```text
//! run         command line, logging, exit codes
//! control     asks the service that is already running
//! http        routing, conditions, bodies, answers
//! server      sockets, connection limits, draining
//! access      who may send a request: tokens, roles, origins of pages
//! access_log  a line for each request
//! follow      an index of the stored documents, kept up to date
//! extension   what a service does besides storing
//! resource    validation of a body into a resource
//! fields      the members of a body
//! json        the bytes of an answer
//! store       durable storage of those bytes
//! metrics     counters and histograms for Prometheus
//! id          the ids of resources
//! hex         bytes as hexadecimal digits
//! data_dir    the locked data folder
//! private     files that only their owner can use
//! readiness   what /readyz says
//! writes      whether writes are accepted
//! file        replacing files
//! datetime    dates and times as the first EventPost read them
//! terminal    text from outside, escaped
//! system      limits and signals
//! ```
//!
//! A request flows from `server` through `http` and `resource` to `store`, and back.

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
