//! A store and a context for tests, with a relay that does not exist.

use std::sync::Arc;
use std::time::Duration;

use rest::extension::ExtensionContext;
use rest::writes::{WriteGate, set_read_only};
use rest::{ObjectId, Resource};
use store::{Delivery as Stored, Document, Limits, SqliteStore, Store, Write, WriteOutcome};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};

use super::relay::Relay;
use super::settings::{Security, Settings};
use super::{Delivery, DeliveryContext};
use crate::Notification;

/// A time that has passed, and one that has not.
pub(super) const PAST: &str = "2020-01-01T00:00:00";
pub(super) const FUTURE: &str = "2999-01-01T00:00:00";

/// What the tests of deliveries work with.
pub(super) struct Fixture {
    pub(super) context: Arc<DeliveryContext>,
    folder: TempDir,
}

impl Fixture {
    /// An empty store. Nothing is too late to be sent.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = store::Settings {
            collection: Notification::COLLECTION,
            limits: Limits::default(),
            facts: Notification::facts_of,
        };
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path(), &settings).unwrap());
        let settings = Settings {
            host: "127.0.0.1".into(),
            // Nobody listens there: it is not a port.
            port: 0,
            security: Security::None,
            ca: None,
            from: "a@example.org".parse().unwrap(),
            login: None,
            rate: 10_000,
            retry: Duration::from_secs(3600),
            expiry: Duration::from_secs(1 << 32),
        };
        let writes = Arc::new(WriteGate::default());
        let context = Arc::new(DeliveryContext {
            relay: Relay::new(&settings).unwrap(),
            settings,
            service: ExtensionContext { store, writes, is_open: false },
            reminders: None,
            changed: Notify::new(),
            stopping: watch::Sender::new(false),
        });
        Self { context, folder }
    }

    /// What a service with this store does, if it sends mails and if it does not.
    pub(super) fn delivery(&self, sends: bool) -> Delivery {
        let context = Arc::clone(&self.context);
        let store = Arc::clone(&context.service.store);
        Delivery { store, sending: sends.then_some(context), reminders: None, sweeper: None }
    }

    /// Stores a notification.
    pub(super) async fn insert(&self, number: u8, to_mail: &str, time: &str) -> ObjectId {
        let body = format!(
            r#"{{"subject": "About an event", "content": "{}", "to_mail": "{to_mail}",
                "scheduled_time": "{time}"}}"#,
            "c".repeat(30)
        );
        let notification = Notification::from_body(body.as_bytes()).unwrap();
        let id = ObjectId::from_bytes([number; 12]);
        let document = Document::new(id, notification.document(id));
        let write = Write::Insert { document, facts: notification.facts() };
        let outcome = self.context.service.store.write(write).await.unwrap();
        assert_eq!(outcome, WriteOutcome::Done(None));
        id
    }

    /// What is known of a notification's delivery.
    pub(super) async fn stored(&self, id: ObjectId) -> Stored {
        self.context.service.store.delivery(id).await.unwrap().unwrap().1.unwrap()
    }

    /// Makes the service read-only, or writable.
    pub(super) fn set_read_only(&self, time: Option<Duration>) {
        set_read_only(self.folder.path(), time).unwrap();
        self.context.service.writes.reload(self.folder.path()).unwrap();
    }
}
