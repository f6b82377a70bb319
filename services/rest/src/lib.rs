//! What the EventPost services share. A service brings its kind of resource (a [`Resource`]) and
//! calls [`run()`]; everything else is here.
//!
//! Each module imports only modules that stand below it:
//!
//! ```text
//! run         command line, logging, exit codes
//! control     asks the service that is already running
//! http        routing, conditions, bodies, answers
//! tls         certificates for HTTPS, and redirects to it
//! server      sockets, connection limits, draining
//! access      who may send a request: tokens, roles, origins of pages
//! limits      what each client may ask for at once
//! access_log  a line for each request
//! extension   what a service does besides storing
//! resource    validation of a body into a resource
//! fields      the members of a body
//! json        the bytes of an answer
//! metrics     counters and histograms for Prometheus
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
//! A request flows from `server` through `http` and `resource` to the crate `store`, and back.

pub mod access;
mod access_log;
mod control;
pub mod data_dir;
pub mod datetime;
pub mod extension;
pub mod fields;
pub mod file;
mod http;
pub mod json;
mod limits;
mod metrics;
pub mod private;
mod readiness;
mod resource;
mod run;
mod server;
pub mod system;
pub mod terminal;
mod tls;
pub mod writes;

pub use access_log::{AccessLog, LogFormat, LoggedRequests};
pub use extension::{Extension, NoExtension};
pub use http::{Api, ApiParts, BodyLimits, Content, ContentError, ResponseFuture};
pub use limits::ClientLimits;
pub use readiness::Readiness;
pub use resource::Resource;
pub use run::run;
pub use server::{Limits, Server, ServerMetrics, Transport};
pub use store::ObjectId;
pub use tls::CertificateStatus;
