//! A row group: cells of rows that are written together, column by column.

use std::{fs::File, io};

use parquet::{
    column::writer::ColumnWriter, data_type::ByteArray, errors::ParquetError,
    file::writer::SerializedFileWriter,
};
use serde_json::Number;

use super::{
    super::record::Value,
    columns::{Columns, Kind},
};

/// Titles of a row group.
pub(super) const ROWS_PER_GROUP: usize = 50_000;

/// Rows on their way into one row group.
#[derive(Default)]
pub(super) struct Group {
    num_rows: usize,
    columns: Vec<Cells>,
}

/// One column's values, and of each row whether it has one.
struct Cells {
    values: Values,
    /// 0 for none and 1 for a value; in lists 1 for an empty one and 2 for a value.
    definition: Vec<i16>,
    /// In lists: 1 for what continues a row's.
    repetition: Vec<i16>,
    /// Rows that were told of.
    num_rows: usize,
}

enum Values {
    Whole(Vec<i32>),
    Number(Vec<f64>),
    Text(Texts),
    List(Texts),
}

/// Texts end to end: one allocation a column.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Group {
    pub(super) fn is_empty(&self) -> bool {
        self.num_rows == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.num_rows == ROWS_PER_GROUP
    }

    /// Adds a row; `columns` may have grown since the last one.
    pub(super) fn push<'a, 'b: 'a>(
        &mut self,
        columns: &Columns,
        row: impl Iterator<Item = (&'a str, &'a Value<'b>)>,
    ) {
        self.columns.extend(columns.kinds().skip(self.columns.len()).map(Cells::new));
        let mut expected = 0;
        for (name, value) in row {
            if let Some(idx) = columns.place_of(name, expected) {
                self.columns[idx].push(self.num_rows, value);
                expected = idx + 1;
            }
        }
        self.num_rows += 1;
    }

    /// Writes the rows; what comes after goes into another group.
    ///
    /// # Errors
    /// The system's error from writing.
    pub(super) fn write(&mut self, writer: &mut SerializedFileWriter<File>) -> io::Result<()> {
        let group = std::mem::take(self);
        group.write_columns(writer).map_err(io::Error::other)
    }

    fn write_columns(self, writer: &mut SerializedFileWriter<File>) -> Result<(), ParquetError> {
        let mut group = writer.next_row_group()?;
        for mut cells in self.columns {
            cells.leave_out_until(self.num_rows);
            let Some(mut column) = group.next_column()? else { break };
            let (definition, repetition) = (Some(&cells.definition[..]), &cells.repetition[..]);
            match (column.untyped(), cells.values) {
                (ColumnWriter::Int32ColumnWriter(typed), Values::Whole(values)) => {
                    typed.write_batch(&values, definition, None)?;
                }
                (ColumnWriter::DoubleColumnWriter(typed), Values::Number(values)) => {
                    typed.write_batch(&values, definition, None)?;
                }
                (ColumnWriter::ByteArrayColumnWriter(typed), Values::Text(texts)) => {
                    typed.write_batch(&texts.into_arrays(), definition, None)?;
                }
                (ColumnWriter::ByteArrayColumnWriter(typed), Values::List(texts)) => {
                    typed.write_batch(&texts.into_arrays(), definition, Some(repetition))?;
                }
                _ => {}
            }
            column.close()?;
        }
        group.close().map(|_| ())
    }
}

impl Cells {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Whole => Values::Whole(Vec::new()),
            Kind::Number => Values::Number(Vec::new()),
            Kind::Text => Values::Text(Texts::default()),
            Kind::List => Values::List(Texts::default()),
        };
        Self { values, definition: Vec::new(), repetition: Vec::new(), num_rows: 0 }
    }

    /// The rows before this one that were not told of have no value.
    fn leave_out_until(&mut self, row_idx: usize) {
        let num_missing = row_idx - self.num_rows;
        self.definition.extend(std::iter::repeat_n(0, num_missing));
        if let Values::List(_) = self.values {
            self.repetition.extend(std::iter::repeat_n(0, num_missing));
        }
        self.num_rows = row_idx;
    }

    fn push(&mut self, row_idx: usize, value: &Value<'_>) {
        self.leave_out_until(row_idx);
        self.num_rows += 1;
        let definition = &mut self.definition;
        match &mut self.values {
            Values::Whole(values) => {
                let value = value.as_number().and_then(Number::as_i64).map(|n| n as i32);
                definition.push(i16::from(value.is_some()));
                values.extend(value);
            }
            Values::Number(values) => {
                let value = value.as_number().and_then(Number::as_f64);
                definition.push(i16::from(value.is_some()));
                values.extend(value);
            }
            Values::Text(texts) => {
                definition.push(1);
                texts.push_all(value);
            }
            Values::List(texts) => {
                let num_texts = texts.push_all(value);
                definition.extend(std::iter::repeat_n(2, num_texts));
                self.repetition.extend((0..num_texts).map(|idx| i16::from(idx > 0)));
                if num_texts == 0 {
                    definition.push(1);
                    self.repetition.push(0);
                }
            }
        }
    }
}

impl Texts {
    /// Adds what stands in a cell; gives back how many texts that were.
    fn push_all(&mut self, value: &Value<'_>) -> usize {
        let num_before = self.ends.len();
        value.for_each_text(&mut |text| {
            self.bytes.extend_from_slice(text.as_bytes());
            self.ends.push(self.bytes.len());
        });
        self.ends.len() - num_before
    }

    fn into_arrays(self) -> Vec<ByteArray> {
        let all = ByteArray::from(self.bytes);
        let mut begin = 0;
        let next = |end| {
            let text = all.slice(begin, end - begin);
            begin = end;
            text
        };
        self.ends.into_iter().map(next).collect()
    }
}
