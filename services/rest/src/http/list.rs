//! Reads the list of a collection: a short one is cached as bytes until something changes, a
//! long one is read while it is sent.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, OnceCell};

use super::content::Source;
use super::encoding;
use crate::json;
use crate::store::{Chunks, Listing, Page, Revision, Store, StoreError, blocking};

/// The longest list that is kept, in bytes: some ten thousand resources.
pub(crate) const KEPT: u64 = 4 << 20;

/// The list as it was written last.
#[derive(Debug, Default)]
pub(crate) struct ListCache {
    /// Locked while it is written: those who want the same wait for the one who is at it.
    current: Mutex<Option<Arc<Kept>>>,
}

/// A list as bytes.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) revision: Revision,
    pub(crate) plain: Bytes,
    gzip: OnceCell<Bytes>,
}

/// A list to answer with.
pub(crate) enum List {
    Kept(Arc<Kept>),
    Long(Listing),
}

impl ListCache {
    /// The list of everything, no older than this call.
    pub(crate) async fn get(&self, store: &impl Store) -> Result<List, StoreError> {
        let wanted = store.revision();
        let mut current = self.current.lock().await;
        // What was written while this call waited may be behind the store by now, but
        // not behind this call.
        if let Some(kept) = current.as_ref().filter(|kept| kept.revision >= wanted) {
            return Ok(List::Kept(Arc::clone(kept)));
        }
        let listing = store.list(Page::ALL);
        if length(&listing) > KEPT {
            *current = None;
            return Ok(List::Long(listing));
        }
        let kept = Arc::new(Kept {
            revision: listing.revision,
            plain: whole(listing).await?,
            gzip: OnceCell::new(),
        });
        *current = Some(Arc::clone(&kept));
        Ok(List::Kept(kept))
    }
}

impl Kept {
    /// The list compressed, which is done once.
    pub(crate) async fn gzip(&self) -> Result<Bytes, StoreError> {
        let compress = || {
            let plain = self.plain.clone();
            blocking(move || Ok(encoding::gzip_whole(&plain)))
        };
        self.gzip.get_or_try_init(compress).await.cloned()
    }
}

/// The bytes of a list as JSON.
pub(crate) fn length(listing: &Listing) -> u64 {
    let separators = (listing.count.max(1) as u64 - 1) * json::SEPARATOR.len() as u64;
    listing.bytes + separators + 2
}

/// The whole list as JSON, for a short one.
pub(crate) async fn whole(listing: Listing) -> Result<Bytes, StoreError> {
    let length = usize::try_from(length(&listing)).expect("a short list");
    let mut chunks = pieces(listing.chunks);
    let write = move || {
        let mut out = Vec::with_capacity(length);
        chunks.try_for_each(|chunk| chunk.map(|chunk| out.extend_from_slice(&chunk)))?;
        Ok(out.into())
    };
    blocking(write).await
}

/// Pieces as one, for few.
pub(crate) async fn joined(pieces: Source) -> Result<Bytes, StoreError> {
    let join = move || {
        let mut out = Vec::new();
        for piece in pieces {
            out.extend_from_slice(&piece?);
        }
        Ok(out.into())
    };
    blocking(join).await
}

/// The list as JSON, chunk by chunk.
pub(crate) fn pieces(mut chunks: Chunks) -> Source {
    let mut list = Some(json::ListWriter::default());
    Box::new(std::iter::from_fn(move || {
        let mut out = Vec::new();
        match chunks.next() {
            Some(Ok(documents)) => {
                let list = list.as_mut()?;
                for document in &documents {
                    list.item(&mut out, document);
                }
            }
            Some(Err(error)) => return Some(Err(error)),
            None => list.take()?.finish(&mut out),
        }
        Some(Ok(out.into()))
    }))
}
