//! Produces the bodies of lists: a short list is cached until something changes, a long one is
//! read while it is sent.

use std::sync::Arc;

use bytes::Bytes;
use store::{Chunks, Listing, Page, Revision, Store, StoreError};
use tokio::sync::{Mutex, OnceCell};

use super::budget::AnswerBudget;
use super::content::ChunkSource;
use super::encoding;
use super::problem::Problem;
use crate::json;
use crate::limits::{Share, TooMuch};

/// The longest list that is cached, in bytes: some ten thousand resources.
pub(crate) const MAX_CACHED_BYTES: u64 = 4 << 20;

/// The list of everything, as it was read last.
#[derive(Debug, Default)]
pub(crate) struct ListCache {
    /// Locked while the list is read: concurrent requests wait instead of reading it too.
    current: Mutex<Option<Arc<CachedList>>>,
}

/// A list in memory.
#[derive(Debug)]
pub(crate) struct CachedList {
    pub(crate) revision: Revision,
    pub(crate) plain: Bytes,
    gzip: OnceCell<Bytes>,
    budget: AnswerBudget,
}

/// A list to answer with.
pub(crate) enum CachedOrStreamed {
    Cached(Arc<CachedList>),
    /// What the client holds with it comes with it.
    Streamed(Listing, Option<Share>),
}

impl ListCache {
    /// The list of everything, no older than `wanted`. Clients that read former lists keep them
    /// in memory, so each list needs its share of the memory for answers; without it, or if it is
    /// long, it is streamed. `begin` counts a list of the client before one is opened.
    pub(crate) async fn get(
        &self,
        store: &dyn Store,
        budget: &AnswerBudget,
        wanted: Revision,
        begin: impl FnOnce() -> Result<Option<Share>, TooMuch>,
    ) -> Result<CachedOrStreamed, Problem> {
        let mut current = self.current.lock().await;
        // A list that was read while this call waited may be older than the store is by now.
        if let Some(list) = current.as_ref().filter(|list| list.revision.is_at_least(wanted)) {
            return Ok(CachedOrStreamed::Cached(Arc::clone(list)));
        }
        let share = begin()?;
        *current = None;
        let listing = store.list(Page::ALL).await?;
        let length = length(&listing).filter(|length| *length <= MAX_CACHED_BYTES);
        let Some(Ok(permit)) = length.map(|length| budget.take_length(length)) else {
            return Ok(CachedOrStreamed::Streamed(listing, share));
        };
        let (revision, plain) = (listing.revision, read(listing).await?);
        let list = Arc::new(CachedList {
            revision,
            plain: permit.map_or_else(|| plain.clone(), |permit| permit.hold(plain.clone())),
            gzip: OnceCell::new(),
            budget: budget.clone(),
        });
        *current = Some(Arc::clone(&list));
        Ok(CachedOrStreamed::Cached(list))
    }
}

impl CachedList {
    /// The list compressed, at the first call.
    pub(crate) async fn gzip(&self) -> Result<Bytes, StoreError> {
        let compress = || async {
            let plain = self.plain.clone();
            let gzip = blocking(move || Ok(encoding::gzip_whole(&plain))).await?;
            let permit = self.budget.take(gzip.len())?;
            Ok(permit.map_or_else(|| gzip.clone(), |permit| permit.hold(gzip.clone())))
        };
        self.gzip.get_or_try_init(compress).await.cloned()
    }
}

/// The length of a list as JSON, in bytes, if that is known before it is read.
pub(crate) fn length(listing: &Listing) -> Option<u64> {
    let (count, bytes) = (listing.count?, listing.bytes?);
    let separators = (count.max(1) - 1) * json::SEPARATOR.len() as u64;
    Some(bytes + separators + 2)
}

/// Reads a whole list as JSON; only for short ones.
pub(crate) async fn read(listing: Listing) -> Result<Bytes, StoreError> {
    let length = length(&listing).and_then(|length| usize::try_from(length).ok());
    let mut chunks = json_chunks(listing.chunks);
    let write = move || {
        let mut out = Vec::with_capacity(length.unwrap_or_default());
        chunks.try_for_each(|chunk| chunk.map(|chunk| out.extend_from_slice(&chunk)))?;
        Ok(out.into())
    };
    blocking(write).await
}

/// Documents as a JSON list.
pub(crate) fn json_list(documents: &[Bytes]) -> Bytes {
    let (mut out, mut list) = (Vec::new(), json::ListWriter::default());
    for document in documents {
        list.item(&mut out, document);
    }
    list.finish(&mut out);
    out.into()
}

/// Runs what may wait for the disk or takes long on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Interrupted))
}

/// A list as JSON, chunk by chunk.
pub(crate) fn json_chunks(mut chunks: Chunks) -> ChunkSource {
    let mut list = Some(json::ListWriter::default());
    Box::new(std::iter::from_fn(move || {
        let mut out = Vec::new();
        match chunks.next() {
            Some(Ok(documents)) => {
                let list = list.as_mut()?;
                for document in &documents {
                    list.item(&mut out, &document.bytes);
                }
            }
            Some(Err(error)) => return Some(Err(error)),
            None => list.take()?.finish(&mut out),
        }
        Some(Ok(out.into()))
    }))
}
