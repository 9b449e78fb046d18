//! Apache Parquet: one row a title and genre, with the columns of the CSV form.
//!
//! Texts are UTF-8, probabilities and contributions FLOAT, thresholds DOUBLE, decisions BOOLEAN;
//! a contribution of a modality that is missing is null. Snappy, row groups of 100,000 rows.

use std::{
    io::{self, Write},
    sync::Arc,
};

use parquet::{
    basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::{Type, TypePtr},
};

use super::{
    TagFormat, TagWriter, Tagged, table,
    table::{Cell, Kind},
};

const ROWS_PER_GROUP: usize = 100_000;

pub(super) struct Parquet;

impl TagFormat for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn about(&self) -> &'static str {
        "Parquet: one row a title and genre"
    }

    fn extension(&self) -> &'static str {
        "parquet"
    }

    fn is_table(&self) -> bool {
        true
    }

    fn table<'a>(
        &self,
        out: Box<dyn Write + 'a>,
        modalities: &[String],
    ) -> Option<Box<dyn TagWriter + 'a>> {
        Some(Box::new(Table { out, modalities: modalities.to_vec(), rows: Vec::new(), file: None }))
    }
}

struct Table<'a> {
    out: Box<dyn Write + 'a>,
    modalities: Vec<String>,
    /// Of the row group in the making.
    rows: Vec<Vec<Cell>>,
    /// The row groups that are done, compressed.
    file: Option<SerializedFileWriter<Vec<u8>>>,
}

impl Table<'_> {
    fn end_group(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        let mut file = match self.file.take() {
            Some(file) => file,
            None => begin(&self.modalities)?,
        };
        if !rows.is_empty() {
            write_group(&mut file, &rows)?;
        }
        self.file = Some(file);
        Ok(())
    }
}

impl TagWriter for Table<'_> {
    fn write(&mut self, tagged: Tagged<'_>) -> io::Result<()> {
        self.rows.extend(table::rows(tagged, &self.modalities));
        if self.rows.len() >= ROWS_PER_GROUP {
            self.end_group().map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.end_group().map_err(io::Error::other)?;
        if let Some(file) = self.file.take() {
            self.out.write_all(&file.into_inner().map_err(io::Error::other)?)?;
        }
        self.out.flush()
    }
}

fn begin(modalities: &[String]) -> Result<SerializedFileWriter<Vec<u8>>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("cinetag".to_owned())
        .build();
    SerializedFileWriter::new(Vec::new(), schema(modalities)?, Arc::new(properties))
}

fn schema(modalities: &[String]) -> Result<TypePtr, ParquetError> {
    let column = |(name, kind): (String, Kind)| {
        let of = |physical| {
            let builder = Type::primitive_type_builder(&name, physical);
            builder.with_repetition(Repetition::OPTIONAL)
        };
        let built = match kind {
            Kind::Text => of(Physical::BYTE_ARRAY)
                .with_logical_type(Some(LogicalType::String))
                .with_converted_type(ConvertedType::UTF8)
                .build(),
            Kind::Single => of(Physical::FLOAT).build(),
            Kind::Double => of(Physical::DOUBLE).build(),
            Kind::Yes => of(Physical::BOOLEAN).build(),
        };
        built.map(Arc::new)
    };
    let columns = table::columns(modalities).into_iter().map(column);
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("tags").with_fields(columns).build().map(Arc::new)
}

fn write_group(
    file: &mut SerializedFileWriter<Vec<u8>>,
    rows: &[Vec<Cell>],
) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    let mut idx = 0;
    while let Some(mut column) = group.next_column()? {
        let cells = rows.iter().map(|row| &row[idx]);
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(typed) => {
                let (values, levels) = optional(cells, |cell| match cell {
                    Cell::Text(text) => Some(ByteArray::from(text.as_str())),
                    _ => None,
                });
                typed.write_batch(&values, Some(&levels), None)?;
            }
            ColumnWriter::FloatColumnWriter(typed) => {
                let (values, levels) = optional(cells, |cell| match cell {
                    Cell::Single(number) => Some(*number),
                    _ => None,
                });
                typed.write_batch(&values, Some(&levels), None)?;
            }
            ColumnWriter::DoubleColumnWriter(typed) => {
                let (values, levels) = optional(cells, |cell| match cell {
                    Cell::Double(number) => Some(*number),
                    _ => None,
                });
                typed.write_batch(&values, Some(&levels), None)?;
            }
            ColumnWriter::BoolColumnWriter(typed) => {
                let (values, levels) = optional(cells, |cell| match cell {
                    Cell::Yes(yes) => Some(*yes),
                    _ => None,
                });
                typed.write_batch(&values, Some(&levels), None)?;
            }
            _ => {}
        }
        column.close()?;
        idx += 1;
    }
    group.close().map(|_| ())
}

/// The values that are there, and for each row whether it is (1) or not (0).
fn optional<'a, T>(
    cells: impl Iterator<Item = &'a Cell>,
    read: impl Fn(&Cell) -> Option<T>,
) -> (Vec<T>, Vec<i16>) {
    let (mut there, mut levels) = (Vec::new(), Vec::new());
    for value in cells.map(read) {
        levels.push(i16::from(value.is_some()));
        there.extend(value);
    }
    (there, levels)
}
