//! Writes the JSON of every answer the way Python's `json.dumps` does by default, since clients
//! of the first EventPost match its text (the load script's regular expression relies on
//! `"id": "…", "`).
//!
//! Members are separated by `", "`, keys from values by `": "`, and everything
//! outside printable ASCII is escaped.

/// Writes one object, member by member, in the order of the calls.
#[derive(Debug)]
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> ObjectWriter<'a> {
    /// Opens an object at the end of `out`; [`Self::finish`] closes it.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Reopens an object to add members at its end; [`Self::finish`] closes it again. `None` if
    /// `out` does not end with an object.
    pub fn reopen(out: &'a mut Vec<u8>) -> Option<Self> {
        out.pop_if(|last| *last == b'}')?;
        let empty = out.last() == Some(&b'{');
        Some(Self { out, empty })
    }

    /// Writes a string member.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        let out = self.key(key);
        write_string(out, value);
        self
    }

    /// Writes a member that is a whole number.
    pub fn number(&mut self, key: &str, value: u64) -> &mut Self {
        let out = self.key(key);
        out.extend_from_slice(value.to_string().as_bytes());
        self
    }

    /// Writes a member that is an object, whose members `write` writes.
    pub fn object(&mut self, key: &str, write: impl FnOnce(&mut ObjectWriter<'_>)) -> &mut Self {
        let mut object = ObjectWriter::new(self.key(key));
        write(&mut object);
        object.finish();
        self
    }

    /// Writes a member that is a list of objects, whose members `write` writes.
    pub fn objects<T>(
        &mut self,
        key: &str,
        items: &[T],
        write: impl Fn(&T, &mut ObjectWriter<'_>),
    ) -> &mut Self {
        let out = self.key(key);
        out.push(b'[');
        for (n, item) in items.iter().enumerate() {
            if n > 0 {
                out.extend_from_slice(b", ");
            }
            let mut object = ObjectWriter::new(out);
            write(item, &mut object);
            object.finish();
        }
        out.push(b']');
        self
    }

    /// Closes the object.
    pub fn finish(self) {
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.extend_from_slice(b", ");
        }
        write_string(self.out, key);
        self.out.extend_from_slice(b": ");
        self.out
    }
}

/// The separator of list items, as `json.dumps` writes it.
pub const SEPARATOR: &[u8] = b", ";

/// Writes a list of documents, to one buffer or to several in turn.
#[derive(Debug, Default)]
pub struct ListWriter {
    has_items: bool,
}

impl ListWriter {
    /// Appends a document, and the bracket or separator before it.
    pub fn item(&mut self, out: &mut Vec<u8>, document: &[u8]) {
        let before = if self.has_items { SEPARATOR } else { b"[" };
        self.has_items = true;
        out.reserve(before.len() + document.len());
        out.extend_from_slice(before);
        out.extend_from_slice(document);
    }

    /// Closes the list.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.has_items { b"]" } else { b"[]" });
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !IS_PLAIN[usize::from(byte)]) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let mut chars = rest[at..].chars();
        write_escape(out, chars.next().expect("there is a byte"));
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// Whether a byte is a character that needs no escape.
const IS_PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = byte != b'"' && byte != b'\\';
        byte += 1;
    }
    plain
};

fn write_escape(out: &mut Vec<u8>, c: char) {
    let short = match c {
        '"' | '\\' => c as u8,
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        _ => {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests;
