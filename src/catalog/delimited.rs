//! Reader of delimited text: CSV and TSV.
//!
//! in: lines; out: records of cells with the line they begin on.
//! source: RFC 4180. Quotes inside an unquoted cell are taken as they stand, blanks after a
//! closing quote are allowed, blank lines are passed over; anything else is malformed.
//! reference: the csv crate 1.4, with which it agrees on every well-formed file (tests).
//!
//! The csv crate itself is not used to read catalogs, since it does not say on which line a
//! record begins after blank lines, nor where bytes are not UTF-8, and since a quote that is
//! never closed makes it swallow the rows that follow without a word. Here such a row is
//! malformed, and reading goes on with the very next line.

use std::{io, io::BufRead};

use super::{
    lines::{Line, Lines, Place},
    problem::shown,
    row::{Cell, Malformed},
};

/// A quoted cell longer than this lacks its closing quote.
const MAX_RECORD_BYTES: usize = 1 << 20;

/// One record: all its cells, `None` where blank.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it begins, 1-based.
    pub(super) line: u64,
    pub(super) cells: Vec<Option<Cell>>,
}

/// Reads records.
pub(super) struct DelimitedReader<R> {
    lines: Lines<R>,
    delimiter: u8,
    quoting: bool,
}

impl<R: BufRead> DelimitedReader<R> {
    pub(super) fn new(reader: R, delimiter: u8, quoting: bool) -> Self {
        Self { lines: Lines::new(reader), delimiter, quoting }
    }

    /// The next record; `None` at the end.
    pub(super) fn next_record(&mut self) -> io::Result<Option<Result<Record, Malformed>>> {
        let first = loop {
            match self.lines.next_line()? {
                None => return Ok(None),
                Some(line) if line.content().is_empty() => {}
                Some(line) => break line,
            }
        };
        let mut parser = Parser::new(self.delimiter, self.quoting);
        let mut held = vec![first];
        let mut num_bytes = 0;
        loop {
            let line = &held[held.len() - 1];
            num_bytes += line.bytes.len();
            let fault = match parser.feed(line) {
                Fed::Done => {
                    let value = || shown(&String::from_utf8_lossy(held[0].content()));
                    return Ok(Some(match parser.nul {
                        None => Ok(Record { line: held[0].number, cells: parser.cells }),
                        Some(place) => Err(Malformed {
                            place,
                            value: value(),
                            message: "a NUL byte stands here; the row is left out".to_owned(),
                            hint: "take it out, or write the file anew as UTF-8 text".to_owned(),
                        }),
                    }));
                }
                Fed::More if num_bytes > MAX_RECORD_BYTES => {
                    Some(format!("is not closed within {MAX_RECORD_BYTES} bytes"))
                }
                Fed::More => match self.lines.next_line()? {
                    Some(next) => {
                        held.push(next);
                        None
                    }
                    None => Some("is never closed".to_owned()),
                },
                Fed::TextAfterQuote(place) => Some(format!(
                    "is closed with text right after it (line {}, character {})",
                    place.line, place.column
                )),
            };
            if let Some(fault) = fault {
                let malformed = Malformed {
                    place: parser.opened_place(&held),
                    value: shown(&String::from_utf8_lossy(held[0].content())),
                    message: format!("the quote opened here {fault}; the row is left out"),
                    hint: "double each quote inside a quoted cell (`\"\"`), close the cell with \
                           a quote, or set `catalog.quoting = false` if quotes mean nothing here"
                        .to_owned(),
                };
                self.lines.give_back(held.drain(1..));
                return Ok(Some(Err(malformed)));
            }
        }
    }
}

enum Fed {
    Done,
    More,
    TextAfterQuote(Place),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// After a quote inside a quoted cell: its end, or the first half of `""`.
    Quote,
    /// After the cell's end, where only blanks may stand.
    Closed,
}

struct Parser {
    delimiter: u8,
    quoting: bool,
    state: State,
    cell: Vec<u8>,
    undecodable: Option<Place>,
    /// The first NUL byte.
    nul: Option<Place>,
    /// Line and byte of the quote that was opened last. Its character is asked for only where
    /// something is wrong with it: counting to each one of a long line would take for ever.
    opened: (u64, usize),
    cells: Vec<Option<Cell>>,
}

impl Parser {
    fn new(delimiter: u8, quoting: bool) -> Self {
        Self {
            delimiter,
            quoting,
            state: State::Start,
            cell: Vec::new(),
            undecodable: None,
            nul: None,
            opened: (0, 0),
            cells: Vec::new(),
        }
    }

    /// Where the quote stands that was opened last, in one of these lines.
    fn opened_place(&self, lines: &[Line]) -> Place {
        let (number, byte_idx) = self.opened;
        let line = lines.iter().find(|line| line.number == number);
        Place { line: number, column: line.map_or(1, |line| line.column_of(byte_idx)) }
    }

    fn feed(&mut self, line: &Line) -> Fed {
        let bad_places = line.undecodable();
        let mut bad_places = bad_places.iter().peekable();
        let content = line.content();
        for (byte_idx, &byte) in content.iter().enumerate() {
            if let Some((_, place)) = bad_places.next_if(|(at, _)| *at == byte_idx) {
                self.undecodable.get_or_insert(*place);
            }
            if byte == 0 && self.nul.is_none() {
                self.nul = Some(Place { line: line.number, column: line.column_of(byte_idx) });
            }
            match self.state {
                State::Start | State::Plain | State::Quote | State::Closed
                    if byte == self.delimiter =>
                {
                    self.end_cell();
                }
                State::Start if byte == b'"' && self.quoting => {
                    self.opened = (line.number, byte_idx);
                    self.state = State::Quoted;
                }
                State::Start | State::Plain => {
                    self.cell.push(byte);
                    self.state = State::Plain;
                }
                State::Quoted if byte == b'"' => self.state = State::Quote,
                State::Quoted => self.cell.push(byte),
                State::Quote if byte == b'"' => {
                    self.cell.push(b'"');
                    self.state = State::Quoted;
                }
                State::Quote | State::Closed if byte == b' ' || byte == b'\t' => {
                    self.state = State::Closed;
                }
                State::Quote | State::Closed => {
                    let column = line.column_of(byte_idx);
                    return Fed::TextAfterQuote(Place { line: line.number, column });
                }
            }
        }
        if self.state == State::Quoted {
            self.cell.extend_from_slice(&line.bytes[content.len()..]);
            return Fed::More;
        }
        self.end_cell();
        Fed::Done
    }

    fn end_cell(&mut self) {
        self.cells.push(Cell::of_bytes(&self.cell, self.undecodable.take()));
        self.cell.clear();
        self.state = State::Start;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::row::Content;

    fn read(bytes: &[u8]) -> Vec<Result<Record, Malformed>> {
        let mut reader = DelimitedReader::new(bytes, b',', true);
        std::iter::from_fn(|| reader.next_record().unwrap()).collect()
    }

    fn texts(record: &Record) -> Vec<String> {
        record
            .cells
            .iter()
            .map(|cell| match cell {
                Some(Cell { content: Content::Text(text), .. }) => text.clone(),
                _ => String::new(),
            })
            .collect()
    }

    #[test]
    fn lines_are_numbered_over_blank_lines_and_quoted_newlines() {
        let records =
            read(b"id,text\r\n\r\n\r\na,\"one\r\ntwo \"\"x\"\"\"\r\nb,5\" disk\r\n,\r\nc,\"\"");
        let found: Vec<_> =
            records.iter().map(|r| r.as_ref().map(|r| (r.line, texts(r))).unwrap()).collect();
        let row = |line, a: &str, b: &str| (line, vec![a.to_owned(), b.to_owned()]);
        let expected = [
            row(1, "id", "text"),
            row(4, "a", "one\r\ntwo \"x\""),
            row(6, "b", "5\" disk"),
            row(7, "", ""),
            row(8, "c", ""),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_open_quote_costs_its_own_row_only() {
        let records = read(b"a,\"open, x\nb,\"fine\",y\nc,z\nd,\"open again\ne,w\n");
        let summary: Vec<_> = records
            .iter()
            .map(|r| match r {
                Ok(record) => (record.line, texts(record)[0].clone()),
                Err(malformed) => (malformed.place.line, format!("bad {}", malformed.place.column)),
            })
            .collect();
        let expected = [(1, "bad 3"), (2, "b"), (3, "c"), (4, "bad 3"), (5, "e")]
            .map(|(n, t)| (n, t.to_owned()));
        assert_eq!(summary, expected);
        let Err(malformed) = &records[0] else { panic!() };
        assert!(malformed.message.contains("line 2, character 4"), "{}", malformed.message);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_placed_in_their_cell() {
        let records = read(b"a,\"x\ny\xff\",z\xe9,k\n");
        let cells = &records[0].as_ref().unwrap().cells;
        let places: Vec<_> = cells.iter().map(|c| c.as_ref().unwrap().undecodable).collect();
        let place = |column| Some(Place { line: 2, column });
        assert_eq!(places, [None, place(2), place(6), None]);
    }

    #[test]
    fn a_nul_byte_costs_its_own_row_only() {
        let records = read(b"a,\"x\ny \0\",z\nb,c\n\0,d\ne,f\n");
        let found: Vec<_> = records
            .iter()
            .map(|r| r.as_ref().map(|r| r.line).map_err(|bad| (bad.place.line, bad.place.column)))
            .collect();
        assert_eq!(found, [Err((2, 3)), Ok(3), Err((4, 1)), Ok(5)]);
    }

    #[test]
    fn without_quoting_quotes_are_text() {
        let mut reader = DelimitedReader::new(&b"tt1\t\"Weird\" Al\n"[..], b'\t', false);
        let record = reader.next_record().unwrap().unwrap().unwrap();
        assert_eq!(texts(&record), ["tt1", "\"Weird\" Al"]);
    }

    proptest! {
        /// Whatever the bytes, reading ends, and no line is the beginning of two records.
        #[test]
        fn any_bytes_are_read_to_the_end(
            bytes in prop::collection::vec(prop::sample::select(b"a,\"\n\r \xff".to_vec()), 0..60),
        ) {
            let records = read(&bytes);
            prop_assert!(records.len() <= bytes.split(|&b| b == b'\n').count());
            let lines: Vec<u64> = records.iter().flatten().map(|record| record.line).collect();
            prop_assert!(lines.is_sorted_by(|a, b| a < b), "{:?}", lines);
        }

        /// What the csv crate writes, quoted or not, is read back cell by cell.
        #[test]
        fn agrees_with_the_csv_crate(
            rows in prop::collection::vec(prop::collection::vec("[a-cé\",\n\r ]{0,6}", 3), 1..8),
            always_quote in any::<bool>(),
        ) {
            let style =
                if always_quote { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new().quote_style(style).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let bytes = writer.into_inner().unwrap();
            let theirs: Vec<Vec<String>> = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(&bytes[..])
                .records()
                .map(|r| r.unwrap().iter().map(|cell| cell.trim().to_owned()).collect())
                .collect();
            let ours: Vec<_> = read(&bytes).iter().map(|r| texts(r.as_ref().unwrap())).collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}
