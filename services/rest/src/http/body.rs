//! Reads request bodies. Each is bounded in size and time, and all that are being read at once
//! are bounded in size together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;

use crate::limits::Share;

/// The limits on request bodies.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// The bytes of one body.
    pub bytes: usize,
    /// The bytes of all bodies that are being read. There are many connections: without this
    /// limit, each of them could keep a body in memory.
    pub total_bytes: usize,
    /// How long a body may take to arrive.
    pub time: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            // Far more than any valid resource has: 700 characters are at most 8,400 bytes of
            // JSON, if each is escaped as a surrogate pair.
            bytes: 64 << 10,
            total_bytes: 16 << 20,
            time: Duration::from_secs(15),
        }
    }
}

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum BodyError {
    Empty,
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    TooSlow,
    /// The connection was lost, or the chunked encoding is malformed.
    Broken,
    /// All bodies together exceed their limit.
    NoRoom,
    /// Those of one client do.
    TooMany,
}

/// Reads bodies within limits.
#[derive(Debug)]
pub(crate) struct BodyReader {
    limits: BodyLimits,
    /// The bytes of all bodies that are being read.
    reading: AtomicUsize,
}

impl BodyReader {
    pub(crate) fn new(limits: BodyLimits) -> Self {
        Self { limits, reading: AtomicUsize::new(0) }
    }

    /// Reads a whole body, which must not be empty. Meanwhile its bytes are added to the client's
    /// share.
    pub(crate) async fn read<B: Body>(
        &self,
        body: B,
        share: Option<Share>,
    ) -> Result<Bytes, BodyError> {
        let body = self.read_any(body, share).await?;
        if body.is_empty() { Err(BodyError::Empty) } else { Ok(body) }
    }

    /// Reads a whole body, which may be empty.
    pub(crate) async fn read_any<B: Body>(
        &self,
        body: B,
        share: Option<Share>,
    ) -> Result<Bytes, BodyError> {
        let limit = self.limits.bytes;
        // Refuse an announced length before the first byte arrives.
        if body.size_hint().lower() > limit as u64 {
            return Err(BodyError::TooLarge { limit });
        }
        let read = tokio::time::timeout(self.limits.time, self.collect(body, share));
        read.await.map_err(|_| BodyError::TooSlow)?
    }

    async fn collect<B: Body>(
        &self,
        body: B,
        mut share: Option<Share>,
    ) -> Result<Bytes, BodyError> {
        let mut body = std::pin::pin!(body);
        let mut reserved = Reserved { reading: &self.reading, bytes: 0 };
        // Most bodies arrive in one frame, which needs no copy.
        let mut whole = Bytes::new();
        let mut pieces = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(mut data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if whole.len() + pieces.len() + data.remaining() > self.limits.bytes {
                return Err(BodyError::TooLarge { limit: self.limits.bytes });
            }
            if share.as_mut().is_some_and(|share| !share.grow(data.remaining())) {
                return Err(BodyError::TooMany);
            }
            reserved.add(data.remaining(), self.limits.total_bytes)?;
            let data = data.copy_to_bytes(data.remaining());
            if whole.is_empty() && pieces.is_empty() {
                whole = data;
            } else {
                pieces.extend_from_slice(&std::mem::take(&mut whole));
                pieces.extend_from_slice(&data);
            }
        }
        Ok(if pieces.is_empty() { whole } else { pieces.freeze() })
    }
}

/// The bytes of one body that is being read; released when it is dropped.
struct Reserved<'a> {
    reading: &'a AtomicUsize,
    bytes: usize,
}

impl Reserved<'_> {
    fn add(&mut self, bytes: usize, limit: usize) -> Result<(), BodyError> {
        self.bytes += bytes;
        let before = self.reading.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > limit { Err(BodyError::NoRoom) } else { Ok(()) }
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.reading.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn reader(bytes: usize, total_bytes: usize) -> BodyReader {
        BodyReader::new(BodyLimits { bytes, total_bytes, time: Duration::from_secs(60) })
    }

    #[tokio::test]
    async fn all_bodies_together_are_limited() {
        let reader = reader(10, 15);
        let eight = || Full::new(Bytes::from_static(b"12345678"));
        assert!(reader.read(eight(), None).await.is_ok());
        // Another body is being read.
        reader.reading.store(8, Ordering::Relaxed);
        assert!(matches!(reader.read(eight(), None).await, Err(BodyError::NoRoom)));
        assert_eq!(reader.reading.load(Ordering::Relaxed), 8, "a refused body reserves nothing");
    }
}
