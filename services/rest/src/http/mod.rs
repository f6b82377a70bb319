//! Handles HTTP requests: what each one means ([`route`], [`paging`], [`conditional`]), how it is
//! carried out ([`Api`]), and how it is answered ([`answer`], [`problem`], [`content`]).

mod answer;
mod api;
mod audit;
mod body;
mod budget;
mod conditional;
mod content;
mod context;
mod encoding;
mod entity_tag;
mod guard;
mod headers;
mod list_body;
mod metrics;
mod observe;
mod paging;
mod problem;
mod response_future;
mod route;

pub use api::{Api, ApiParts};
pub use body::BodyLimits;
pub use content::{Content, ContentError};
pub use response_future::ResponseFuture;
