//! Looks into a stack: `eventpost logs`, `exec` and `ssh`, over connections that have checked
//! the host's key.

mod exec;
mod logs;
mod shell;

pub(super) use exec::run as exec;
pub(super) use logs::run as logs;
pub(super) use shell::run as ssh;
