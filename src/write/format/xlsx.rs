//! Office Open XML workbook: one row a title and genre.
//!
//! Written when all titles are known, since the format stands in a zip archive.

use std::io::{self, Write};

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::{TagFormat, TagWriter, Tagged, evidence, table, table::Cell};

/// Rows of a sheet: the format's limit, less the header.
const MAX_ROWS: usize = 1_048_575;

pub(super) struct Xlsx;

impl TagFormat for Xlsx {
    fn name(&self) -> &'static str {
        "xlsx"
    }

    fn about(&self) -> &'static str {
        "Excel workbook: one row a title and genre"
    }

    fn extension(&self) -> &'static str {
        "xlsx"
    }

    fn is_table(&self) -> bool {
        true
    }

    fn table<'a>(
        &self,
        out: Box<dyn Write + 'a>,
        modalities: &[String],
    ) -> Option<Box<dyn TagWriter + 'a>> {
        Some(Box::new(Sheet { out, modalities: modalities.to_vec(), rows: Vec::new() }))
    }
}

struct Sheet<'a> {
    out: Box<dyn Write + 'a>,
    modalities: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl TagWriter for Sheet<'_> {
    fn write(&mut self, tagged: Tagged<'_>) -> io::Result<()> {
        self.rows.extend(table::rows(tagged, &self.modalities));
        if self.rows.len() > MAX_ROWS {
            return Err(io::Error::other(format!(
                "an Excel sheet holds no more than {MAX_ROWS} rows; write CSV or JSON Lines"
            )));
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let bytes = workbook(&self.modalities, &self.rows).map_err(io::Error::other)?;
        self.out.write_all(&bytes)?;
        self.out.flush()
    }
}

fn workbook(modalities: &[String], rows: &[Vec<Cell>]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // Else the moment of writing would stand in the file, and no two files would be equal.
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&made));
    let sheet = workbook.add_worksheet().set_name("tags")?;
    let header = table::header(modalities);
    let bold = Format::new().set_bold();
    for (column, name) in (0..).zip(&header) {
        sheet.write_string_with_format(0, column, name, &bold)?;
    }
    for (line, row) in (1..).zip(rows) {
        for (column, cell) in (0..).zip(row) {
            write(sheet, line, column, cell)?;
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    let (last_row, last_column) = (rows.len() as u32, header.len() as u16 - 1);
    sheet.autofilter(0, 0, last_row, last_column)?;
    sheet.set_column_width(1, 32)?;
    workbook.save_to_buffer()
}

fn write(sheet: &mut Worksheet, row: u32, column: u16, cell: &Cell) -> Result<(), XlsxError> {
    match cell {
        Cell::Text(text) => sheet.write_string(row, column, text)?,
        Cell::Single(number) => sheet.write_number(row, column, evidence::double(*number))?,
        Cell::Double(number) => sheet.write_number(row, column, *number)?,
        Cell::Yes(yes) => sheet.write_boolean(row, column, *yes)?,
        Cell::Empty => return Ok(()),
    };
    Ok(())
}
