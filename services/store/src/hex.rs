//! Writes bytes as hexadecimal digits.

/// Writes two lowercase digits for each byte, to the front of `out`.
pub(crate) fn write(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xf)];
    }
}

/// The lowercase digits of bytes.
pub(crate) fn of(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    write(bytes, &mut digits);
    String::from_utf8(digits).unwrap_or_default()
}
