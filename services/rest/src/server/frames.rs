//! Follows the frames of HTTP/2 that are written, to tell what belongs to answers from what merely
//! keeps a connection alive.

/// The length of a frame's header: three bytes of length, one of type, one of flags, and four
/// of the stream.
const HEADER_BYTES: usize = 9;
/// The type of frames that carry bodies.
const DATA: u8 = 0;

/// Where the written bytes are within a frame.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; HEADER_BYTES],
    /// Bytes of the header so far.
    known: usize,
    /// Bytes of the frame that are still to come after its header.
    left: usize,
}

impl Frames {
    /// Whether some of the bytes that follow those so far are of a body.
    pub(super) fn have_data(&mut self, mut bytes: &[u8]) -> bool {
        let mut found = false;
        while !bytes.is_empty() {
            if self.known < HEADER_BYTES {
                let taken = bytes.len().min(HEADER_BYTES - self.known);
                self.header[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
                self.known += taken;
                bytes = &bytes[taken..];
                let [high, middle, low, ..] = self.header;
                self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            } else {
                let taken = bytes.len().min(self.left);
                found |= taken > 0 && self.header[3] == DATA;
                self.left -= taken;
                bytes = &bytes[taken..];
            }
            if self.known == HEADER_BYTES && self.left == 0 {
                self.known = 0;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        frame.extend(std::iter::repeat_n(0, length.into()));
        frame
    }

    #[test]
    fn only_bytes_of_bodies_count_however_they_are_cut() {
        const PING: u8 = 6;
        let bytes = [frame(PING, 8), frame(4, 0), frame(DATA, 3), frame(DATA, 0), frame(PING, 8)];
        let bytes = bytes.concat();
        let body = HEADER_BYTES + 8 + HEADER_BYTES + HEADER_BYTES..;
        for step in 1..bytes.len() {
            let mut frames = Frames::default();
            for (n, part) in bytes.chunks(step).enumerate() {
                let written = n * step..n * step + part.len();
                let expected = written.start < body.start + 3 && written.end > body.start;
                assert_eq!(frames.have_data(part), expected, "{step}: {written:?}");
            }
        }
    }
}
