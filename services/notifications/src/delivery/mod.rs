//! Sends notifications when they are due.
//!
//! ```text
//! api       what clients see and do with deliveries
//! worker    claims due mails, as many as connections and the rate allow
//! attempt   attempts to deliver a claimed mail, and records how that ended
//! mail      a notification as a mail
//! headers   headers of mails
//! relay     the connections to the relay
//! query     the queries of lists, of one notification and of a retry of all
//! settings  the relay, from the command line
//! ```
//!
//! A mail is delivered at least once: that it was delivered is recorded after the relay has
//! accepted it. Its Message-ID is the same in each attempt, so that receivers can drop
//! duplicates. The states of deliveries are in the store.

mod api;
mod attempt;
#[cfg(test)]
mod fixture;
mod headers;
mod mail;
mod query;
mod relay;
mod settings;
mod worker;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rest::extension::ExtensionContext;
use store::Store;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::reminders::Reminders;
use relay::Relay;
pub use settings::DeliveryArgs;
use settings::Settings;

/// Delivers notifications, and finds those for an address.
#[derive(Debug)]
pub struct Delivery {
    store: Arc<dyn Store>,
    /// `None` without a relay.
    sending: Option<Arc<DeliveryContext>>,
    /// `None` if visitors cannot ask for any.
    reminders: Option<Arc<Reminders>>,
    /// Removes reminders that are over.
    sweeper: Option<AbortHandle>,
}

/// What requests and the worker work with.
#[derive(Debug)]
struct DeliveryContext {
    settings: Settings,
    service: ExtensionContext,
    relay: Relay,
    /// Makes the links in mails, if there are any.
    reminders: Option<Arc<Reminders>>,
    /// Wakes the worker: something may be due earlier than it knows.
    changed: Notify,
    /// Becomes true when the service stops.
    stopping: watch::Sender<bool>,
}

/// Waits until the service stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the context is gone, and the service with it.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
