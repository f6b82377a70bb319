//! Changes what runs on hosts, which stay, as do their data: `eventpost deploy` and
//! `rollback`; `history` shows what was changed.

mod address;
mod create;
mod deploy;
pub(super) mod execute;
mod history;
pub(super) mod rollout;
mod switch;

pub(super) use deploy::{deploy, rollback};
pub(super) use history::run as history;
