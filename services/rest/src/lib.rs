//! What the EventPost services share. A service brings its model (a [`Resource`])
//! and calls [`run()`]; everything else is here.
//!
//! A request flows through the modules in this order:
//!
//! ```text
//! run      command line, logging, exit code
//! data_dir the locked data folder
//! server   sockets, connection limits, draining
//! http     routing, bodies, answers
//! resource validation of a body into a model (fields, datetime)
//! json     the bytes of an answer
//! store    durable storage of those bytes
//! ```

pub mod data_dir;
pub mod datetime;
pub mod fields;
mod http;
pub mod id;
pub mod json;
mod resource;
mod run;
mod server;
pub mod store;

pub use http::Api;
pub use id::ObjectId;
pub use resource::Resource;
pub use run::run;
pub use server::{Limits, serve};
