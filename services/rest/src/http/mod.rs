//! Handles HTTP requests: what each one means ([`route`], [`page`], [`conditional`]), how it is
//! carried out ([`Api`]), and how it is answered ([`answer`], [`content`]).

mod answer;
mod api;
mod body;
mod conditional;
mod content;
mod context;
mod encoding;
mod guard;
mod handling;
mod headers;
mod list;
mod metrics;
mod observe;
mod page;
mod route;

pub use api::{Api, ApiParts};
pub use body::BodyLimits;
pub use content::{Content, ContentError};
pub use handling::Handling;
