//! This module owns the reading of request bodies, bounded in size and time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};

/// Why a body could not be used.
#[derive(Debug)]
pub(crate) enum BodyError {
    Empty,
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    TooSlow,
    /// The connection broke, or the chunks are malformed.
    Broken,
}

/// Reads a whole body of 1 to `limit` bytes that arrives within `timeout`.
pub(crate) async fn read(
    body: Incoming,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, BodyError> {
    // An announced length is enough to refuse, before a byte has come.
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge { limit });
    }
    let body = tokio::time::timeout(timeout, Limited::new(body, limit).collect())
        .await
        .map_err(|_| BodyError::TooSlow)?
        .map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => BodyError::TooLarge { limit },
            None => BodyError::Broken,
        })?
        .to_bytes();
    if body.is_empty() { Err(BodyError::Empty) } else { Ok(body) }
}
