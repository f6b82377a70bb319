//! Compresses answers for clients that accept gzip.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::HeaderMap;
use hyper::header::ACCEPT_ENCODING;

/// Bodies of fewer bytes are not compressed: they fit into one packet anyway.
pub(crate) const MIN_COMPRESSED_BYTES: u64 = 1400;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// The encoding of a body of `length` bytes for a client with these headers.
    pub(crate) fn choose(headers: &HeaderMap, length: u64) -> Self {
        if length >= MIN_COMPRESSED_BYTES && accepts_gzip(headers) {
            Self::Gzip
        } else {
            Self::Identity
        }
    }
}

/// Whether `Accept-Encoding` names gzip with a weight above 0 (RFC 9110, 12.5.3). A wildcard
/// does not count: clients that send one may not expect gzip.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        named && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
    })
}

/// Compresses a whole body.
pub(crate) fn gzip_whole(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(plain)
        .and_then(|()| encoder.finish())
        .expect("writing to a vector cannot fail")
        .into()
}

/// Compresses chunk by chunk; an error is passed on and ends the stream.
pub(crate) fn gzip<E>(
    chunks: impl Iterator<Item = Result<Bytes, E>>,
) -> impl Iterator<Item = Result<Bytes, E>> {
    let mut chunks = chunks.fuse();
    let mut encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    std::iter::from_fn(move || {
        // The encoder buffers: some chunks produce no output yet.
        loop {
            let gzip = encoder.as_mut()?;
            match chunks.next() {
                Some(Ok(chunk)) => gzip.write_all(&chunk).expect("writing to a vector cannot fail"),
                Some(Err(error)) => {
                    encoder = None;
                    return Some(Err(error));
                }
                None => {
                    let rest = encoder.take()?.finish().expect("writing to a vector cannot fail");
                    return Some(Ok(rest.into()));
                }
            }
            let ready = std::mem::take(gzip.get_mut());
            if !ready.is_empty() {
                return Some(Ok(ready.into()));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn long_bodies_are_compressed_for_clients_that_accept_gzip() {
        for (value, accepted) in [
            ("gzip", true),
            ("GZIP", true),
            ("br, gzip;q=0.5", true),
            ("deflate,gzip", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("gzip;q=x", false),
            ("x-gzip", false),
            ("*", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            let expected = if accepted { Encoding::Gzip } else { Encoding::Identity };
            assert_eq!(Encoding::choose(&headers, MIN_COMPRESSED_BYTES), expected, "{value}");
            assert_eq!(Encoding::choose(&headers, MIN_COMPRESSED_BYTES - 1), Encoding::Identity);
        }
        assert_eq!(Encoding::choose(&HeaderMap::new(), MIN_COMPRESSED_BYTES), Encoding::Identity);
    }

    #[test]
    fn compressed_chunks_decompress_to_the_original() {
        let chunks: Vec<Bytes> =
            (0..50).map(|n| Bytes::from(format!("{n} and ").repeat(n * 40))).collect();
        let compressed = gzip(chunks.iter().cloned().map(Ok::<_, ()>));
        let compressed = compressed.collect::<Result<Vec<_>, _>>().unwrap().concat();
        let mut back = Vec::new();
        GzDecoder::new(&compressed[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, chunks.concat());
        assert!(compressed.len() < back.len() / 10);
    }

    #[test]
    fn an_error_ends_the_stream() {
        let chunks = [Ok(Bytes::from_static(b"x")), Err("damaged"), Ok(Bytes::new())];
        let all: Vec<_> = gzip(chunks.into_iter()).collect();
        assert_eq!(all.last(), Some(&Err("damaged")));
        assert_eq!(all.iter().filter(|chunk| chunk.is_err()).count(), 1);
    }
}
