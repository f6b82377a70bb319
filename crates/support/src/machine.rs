//! An instance that stands for one service, as a provider tells of it.

use std::net::IpAddr;

/// A machine that stands for one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The provider's id for it.
    pub id: String,
    /// The service it is for.
    pub service: String,
    /// Which launch of the stack it belongs to; later ones have larger numbers.
    pub generation: u32,
    /// Whether it has been brought to where it serves.
    pub serving: bool,
    /// The provider's word for its state.
    pub state: String,
    /// Where it is reached, once that is known.
    pub address: Option<IpAddr>,
    /// Its public name, once that is known.
    pub dns: Option<String>,
    /// Its type.
    pub kind: String,
    /// What it booted.
    pub image: String,
    /// When it was launched, in seconds since 1970.
    pub launched: u64,
    /// Who launched it, where that is known.
    pub launched_by: Option<String>,
    /// When it ends itself, in seconds since 1970.
    pub ends: Option<u64>,
    /// The host keys it may prove itself with.
    pub host_keys: Vec<String>,
}

impl Machine {
    /// Whether it exists and is not on its way out.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state.as_str(), "terminated" | "shutting-down")
    }
}
