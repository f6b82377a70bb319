//! Sends notifications when they are due.
//!
//! ```text
//! settings  the relay, from the command line
//! state     the state of a delivery, and its transitions
//! book      the states of all, and which are due
//! records   the states on the disk
//! mail      a notification as a mail
//! relay     one attempt to send it
//! worker    sends due mails to the relay, at a bounded rate
//! query     the query of a list or an item
//! api       what clients see of deliveries, and can do
//! ```
//!
//! A mail is sent at least once: that it was sent is recorded after the relay has
//! accepted it. Its Message-ID is the same at each attempt, so that receivers can drop a
//! duplicate.

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

use rest::extension::Given;
use rest::follow::Followed;
use tokio::sync::Notify;

use book::Book;
use records::Records;
use relay::Relay;
pub use settings::MailArgs;
use settings::Settings;

use crate::recipients::Recipients;

/// Sending, and finding what is to be sent.
#[derive(Debug)]
pub struct Delivery {
    recipients: Followed<Recipients>,
    /// None where nobody has asked for it.
    sending: Option<Arc<Shared>>,
}

/// What requests and the worker share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    given: Given,
    relay: Relay,
    records: Records,
    book: Mutex<Book>,
    /// Something is due earlier than the worker knows.
    changed: Notify,
    /// Set once the service is told to stop.
    stopping: tokio::sync::watch::Sender<bool>,
}

impl Shared {
    // A panic while the lock is held cannot leave the book half changed.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
