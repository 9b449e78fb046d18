//! CSV (RFC 4180): one row a title and genre. Texts that a spreadsheet would take for formulas are made
//! harmless, unless they are asked for as they are.

use std::io::{self, Write};

use base::words::defused;

use super::{TagFormat, TagWriter, Tagged, table, table::Cell};

/// With or without what makes formulas harmless.
pub(super) struct Csv {
    is_raw: bool,
}

/// For people and their spreadsheets.
pub(super) static CSV: Csv = Csv { is_raw: false };
/// Texts as they are, for programs.
pub(super) static RAW: Csv = Csv { is_raw: true };

impl TagFormat for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "CSV: one row a title and genre"
    }

    fn extension(&self) -> &'static str {
        "csv"
    }

    fn is_table(&self) -> bool {
        true
    }

    fn table<'a>(
        &self,
        out: Box<dyn Write + 'a>,
        modalities: &[String],
    ) -> Option<Box<dyn TagWriter + 'a>> {
        Some(Box::new(Rows {
            out: csv::Writer::from_writer(out),
            modalities: modalities.to_vec(),
            has_header: false,
            is_raw: self.is_raw,
        }))
    }
}

struct Rows<'a> {
    out: csv::Writer<Box<dyn Write + 'a>>,
    modalities: Vec<String>,
    has_header: bool,
    is_raw: bool,
}

impl Rows<'_> {
    fn header(&mut self) -> io::Result<()> {
        if !self.has_header {
            self.has_header = true;
            self.out.write_record(table::header(&self.modalities))?;
        }
        Ok(())
    }
}

impl TagWriter for Rows<'_> {
    fn write(&mut self, tagged: Tagged<'_>) -> io::Result<()> {
        self.header()?;
        for row in table::rows(tagged, &self.modalities) {
            self.out.write_record(row.iter().map(|cell| text(cell, self.is_raw)))?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.header()?;
        self.out.flush()
    }
}

fn text(cell: &Cell, is_raw: bool) -> String {
    match cell {
        Cell::Text(text) if is_raw => text.clone(),
        Cell::Text(text) => defused(text).into_owned(),
        Cell::Single(number) => number.to_string(),
        Cell::Double(number) => number.to_string(),
        Cell::Yes(yes) => yes.to_string(),
        Cell::Empty => String::new(),
    }
}
