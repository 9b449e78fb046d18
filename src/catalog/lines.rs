//! Physical lines of a text file, numbered, with the places that are not UTF-8.
//!
//! in: bytes; out: [`Line`]s with their terminators. A byte order mark is taken off.

use std::{collections::VecDeque, io, io::BufRead};

/// A line longer than this is taken for something that is not text.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// One line with its terminator.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// 1-based.
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
}

/// A place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// 1-based.
    pub(super) line: u64,
    /// 1-based, in characters; bytes that are not UTF-8 count as one character a sequence.
    pub(super) column: u64,
}

impl Line {
    /// Without `\n` or `\r\n`.
    pub(super) fn content(&self) -> &[u8] {
        let bytes = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        bytes.strip_suffix(b"\r").unwrap_or(bytes)
    }

    /// The 1-based character that byte `byte_idx` belongs to.
    pub(super) fn column_of(&self, byte_idx: usize) -> u64 {
        String::from_utf8_lossy(&self.bytes[..byte_idx]).chars().count() as u64 + 1
    }

    /// Byte index and place of every sequence that is not UTF-8.
    pub(super) fn undecodable(&self) -> Vec<(usize, Place)> {
        if std::str::from_utf8(&self.bytes).is_ok() {
            return Vec::new();
        }
        let (mut byte_idx, mut column) = (0, 1);
        let mut places = Vec::new();
        for chunk in self.bytes.utf8_chunks() {
            byte_idx += chunk.valid().len();
            column += chunk.valid().chars().count() as u64;
            if !chunk.invalid().is_empty() {
                places.push((byte_idx, Place { line: self.number, column }));
                byte_idx += chunk.invalid().len();
                column += 1;
            }
        }
        places
    }
}

/// Reads lines; some may be given back to be read again.
pub(super) struct Lines<R> {
    reader: R,
    num_read: u64,
    returned: VecDeque<Line>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, num_read: 0, returned: VecDeque::new() }
    }

    /// The next line; `None` at the end.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.returned.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        io::Read::take(&mut self.reader, MAX_LINE_BYTES + 1).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.num_read += 1;
        if bytes.len() as u64 > MAX_LINE_BYTES {
            let message = format!(
                "line {} is longer than {MAX_LINE_BYTES} bytes: this is not text",
                self.num_read
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        if self.num_read == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        Ok(Some(Line { number: self.num_read, bytes }))
    }

    /// Gives lines back: they come next, in this order.
    pub(super) fn give_back(&mut self, lines: impl DoubleEndedIterator<Item = Line>) {
        for line in lines.rev() {
            self.returned.push_front(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_the_mark_is_taken_off() {
        let mut lines = Lines::new(&b"\xef\xbb\xbfid\r\n\xc3\xa9\xffb\xfe\n"[..]);
        let first = lines.next_line().unwrap().unwrap();
        assert_eq!(first.content(), b"id");
        assert_eq!(first.undecodable(), []);
        let second = lines.next_line().unwrap().unwrap();
        let places = [(2, Place { line: 2, column: 2 }), (4, Place { line: 2, column: 4 })];
        assert_eq!(second.undecodable(), places);
        assert_eq!(second.column_of(3), 3);
        assert!(lines.next_line().unwrap().is_none());
        lines.give_back([first, second].into_iter());
        assert_eq!(lines.next_line().unwrap().unwrap().number, 1);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let endless = io::BufReader::new(io::repeat(b'x'));
        assert!(Lines::new(endless).next_line().is_err());
    }
}
