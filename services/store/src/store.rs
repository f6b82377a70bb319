//! Describes what every engine does.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use crate::{
    AddressDigest, BackupError, BackupSummary, Claim, Delivery, DeliveryFilter, DeliveryState,
    Document, Found, Listing, ObjectId, Page, RetryOutcome, Revision, Search, StateName,
    Statistics, StoreError, Write, WriteOutcome,
};

/// What the methods of a [`Store`] return.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Documents by id, with what follows from them.
///
/// Its futures need a Tokio runtime.
pub trait Store: Debug + Send + Sync + 'static {
    /// What holds the data: `sqlite` or `postgresql`.
    fn engine(&self) -> &'static str;

    /// The document stored under `id`.
    fn get(&self, id: ObjectId) -> StoreFuture<'_, Option<Document>>;

    /// As [`Self::get`], if that need not wait for anything.
    fn get_at_once(&self, id: ObjectId) -> Option<Result<Option<Document>, StoreError>>;

    /// Stores, replaces or removes a document. It is durable when the future ends, and runs to
    /// its end even if the future is dropped.
    fn write(&self, write: Write) -> StoreFuture<'_, WriteOutcome>;

    /// The documents of a page by ascending id, in one state of the store.
    fn list(&self, page: Page) -> StoreFuture<'_, Listing>;

    /// The documents that a search finds, by the time of the events; the order of those at one
    /// time is the engine's own, and does not change while they are stored. Damaged documents
    /// are left out. `None` if [`Search::after`] names no event that is stored and has no key.
    fn search(&self, search: Search) -> StoreFuture<'_, Option<Found>>;

    /// The documents that have, by ascending id, with their deliveries if they have one. Without
    /// a recipient and a state in the filter these are all documents.
    fn deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> StoreFuture<'_, Vec<(Document, Option<Delivery>)>>;

    /// A document and its delivery.
    fn delivery(&self, id: ObjectId) -> StoreFuture<'_, Option<(Document, Option<Delivery>)>>;

    /// Mails are sent from now on. The first call ever on this data expires what is overdue by
    /// more than `expiry`; later ones leave it to be sent.
    fn start_sending(&self, expiry: Duration) -> StoreFuture<'_, ()>;

    /// Claims up to `limit` deliveries that are due, those that are due the longest first. A
    /// claim that was not settled after `lease` is void, and the delivery is due again.
    fn claim(&self, limit: usize, lease: Duration) -> StoreFuture<'_, Vec<Claim>>;

    /// Records how an attempt ended. False, and nothing is recorded, if the claim is void: the
    /// document was removed or replaced, or the lease has ended and somebody else has claimed it.
    fn settle(&self, claim: &Claim, state: DeliveryState) -> StoreFuture<'_, bool>;

    /// Has a delivery that failed or expired be tried again at once, with attempts counted from
    /// one.
    fn retry(&self, id: ObjectId) -> StoreFuture<'_, RetryOutcome>;

    /// As [`Self::retry`] for every delivery in a state, which is failed or expired. Returns how
    /// many there were.
    fn retry_all(&self, state: StateName) -> StoreFuture<'_, u64>;

    /// When a delivery is due next or a claim becomes void, in milliseconds since 1970.
    fn next_due(&self) -> StoreFuture<'_, Option<u64>>;

    /// Removes up to `limit` documents whose [time](crate::Facts::remove_at) has come. Returns how
    /// many may have been removed: less than `limit` if no others are left.
    fn remove_due(&self, limit: usize) -> StoreFuture<'_, usize>;

    /// Notes that an address gets no mails any more, or that it does again. Restored backups do
    /// not undo the former.
    fn suppress(&self, address: AddressDigest, is_suppressed: bool) -> StoreFuture<'_, ()>;

    /// Whether an address gets no mails.
    fn is_suppressed(&self, address: AddressDigest) -> StoreFuture<'_, bool>;

    /// The present state of the store as a whole.
    fn revision(&self) -> StoreFuture<'_, Revision>;

    /// Why the store accepts no writes, if it accepts none.
    fn check(&self) -> Result<(), StoreError>;

    /// What the store has counted and measured. Where the numbers cannot be read at present,
    /// they are those of the last time.
    fn statistics(&self) -> Pin<Box<dyn Future<Output = Statistics> + Send + '_>>;

    /// Writes a backup of one state. It blocks, so it belongs on a thread that may.
    fn back_up(&self, out: &mut dyn io::Write) -> Result<BackupSummary, BackupError>;

    /// Finishes the writes that have begun, and takes no more.
    fn close(&self) -> StoreFuture<'_, ()>;
}
