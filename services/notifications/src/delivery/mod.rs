//! Sends notifications when they are due.
//!
//! ```text
//! settings  the relay, from the command line
//! state     the state of a delivery, and its transitions
//! book      the states of all deliveries, and which are due
//! records   the states on the disk
//! mail      a notification as a mail
//! relay     one attempt to deliver it
//! worker    delivers due mails, at a limited rate
//! query     the query of a list or a notification
//! api       what clients see and do with deliveries
//! ```
//!
//! A mail is delivered at least once: that it was delivered is recorded after the relay has
//! accepted it. Its Message-ID is the same in each attempt, so that receivers can drop
//! duplicates.

mod api;
mod book;
mod mail;
mod query;
mod records;
mod relay;
mod settings;
mod state;
mod worker;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rest::extension::ExtensionContext;
use rest::follow::Followed;
use tokio::sync::Notify;

use book::Book;
use records::Records;
use relay::Relay;
pub use settings::MailArgs;
use settings::Settings;

use crate::recipients::Recipients;

/// Delivers notifications, and finds those for an address.
#[derive(Debug)]
pub struct Delivery {
    recipients: Followed<Recipients>,
    /// `None` without a relay.
    sending: Option<Arc<DeliveryContext>>,
}

/// What requests and the worker work with.
#[derive(Debug)]
struct DeliveryContext {
    settings: Settings,
    service: ExtensionContext,
    relay: Relay,
    records: Records,
    book: Mutex<Book>,
    /// Wakes the worker: something may be due earlier than it knows.
    changed: Notify,
    /// Becomes true when the service stops.
    stopping: tokio::sync::watch::Sender<bool>,
}

impl DeliveryContext {
    // A panic while the lock is held does not leave the book inconsistent.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
