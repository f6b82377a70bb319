//! Compresses answers for clients that accept gzip.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::HeaderMap;
use hyper::header::ACCEPT_ENCODING;

/// Bodies of fewer bytes fit into one packet anyway.
pub(crate) const WORTHWHILE: u64 = 1400;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// What a client takes for a body of some bytes.
    pub(crate) fn choose(headers: &HeaderMap, bytes: u64) -> Self {
        if bytes >= WORTHWHILE && accepts_gzip(headers) { Self::Gzip } else { Self::Identity }
    }
}

/// Whether `Accept-Encoding` names gzip with a weight above 0 (RFC 9110, 12.5.3). A
/// wildcard is no request for it: clients that say so may not expect any.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        named && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
    })
}

/// Compresses a body at once.
pub(crate) fn gzip_whole(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("a vector takes all").into()
}

/// Compresses one chunk after another; a failure is passed on and ends it.
pub(crate) fn gzip<E>(
    chunks: impl Iterator<Item = Result<Bytes, E>>,
) -> impl Iterator<Item = Result<Bytes, E>> {
    let mut chunks = chunks.fuse();
    let mut encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    std::iter::from_fn(move || {
        // Some chunks add nothing to what can be sent yet.
        loop {
            let gzip = encoder.as_mut()?;
            match chunks.next() {
                Some(Ok(chunk)) => gzip.write_all(&chunk).expect("a vector takes all"),
                Some(Err(error)) => {
                    encoder = None;
                    return Some(Err(error));
                }
                None => {
                    let rest = encoder.take()?.finish().expect("a vector takes all");
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
    fn gzip_is_chosen_where_it_is_asked_for_and_pays() {
        for (value, asked) in [
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
            let expected = if asked { Encoding::Gzip } else { Encoding::Identity };
            assert_eq!(Encoding::choose(&headers, WORTHWHILE), expected, "{value}");
            assert_eq!(Encoding::choose(&headers, WORTHWHILE - 1), Encoding::Identity);
        }
        assert_eq!(Encoding::choose(&HeaderMap::new(), WORTHWHILE), Encoding::Identity);
    }

    #[test]
    fn chunks_come_back_as_they_went_in() {
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
    fn a_failure_ends_it() {
        let chunks = [Ok(Bytes::from_static(b"x")), Err("damaged"), Ok(Bytes::new())];
        let all: Vec<_> = gzip(chunks.into_iter()).collect();
        assert_eq!(all.last(), Some(&Err("damaged")));
        assert_eq!(all.iter().filter(|chunk| chunk.is_err()).count(), 1);
    }
}
