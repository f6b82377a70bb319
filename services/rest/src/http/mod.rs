//! This module owns HTTP: which request means what ([`route`]), what is done for it
//! ([`Api`]), and how it is answered ([`answer`]).

mod answer;
mod api;
mod body;
mod route;

pub use api::Api;
