//! Parquet, such as an import writes: one row a title, columns by name.
//!
//! A file may come from anybody: what it unfolds to is bounded by its size (`bounds`), and its
//! library's panics are errors of the file.

mod bounds;
#[cfg(test)]
mod tests;
mod thrift;

use std::{collections::HashSet, fs::File, path::Path, sync::Arc};

use base::{file, guard::guarded};
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row as Record},
};

use self::bounds::{Budget, VALUE_BYTES};
use super::{Intake, Row, Source};
use crate::CatalogError;

/// Bytes of a cell, as of a line of text.
const MAX_CELL_BYTES: usize = 16 << 20;

/// A Parquet file.
pub(super) struct Parquet;

impl Source for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn about(&self) -> &'static str {
        "a Parquet file with the catalog's columns, as an import writes it (Snappy or none)"
    }

    fn terms(&self) -> &'static str {
        "those of what it was made from"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let file = file::open(path).map_err(|source| CatalogError::File {
            path: path.to_owned(),
            action: "read",
            source,
        })?;
        let read = guarded(|| read(file, path, intake));
        read.map_err(|panicked| panicked.to_string()).flatten().map_err(|what| {
            CatalogError::Format {
                path: path.to_owned(),
                message: format!("cannot be read as Parquet ({what})"),
                hint: "write it with Snappy or without compression; or convert it to CSV"
                    .to_owned(),
            }
        })
    }
}

fn read(mut file: File, path: &Path, intake: &mut Intake<'_>) -> Result<(), String> {
    let broken = |error: parquet::errors::ParquetError| error.to_string();
    let file_bytes = file.metadata().map_err(|error| error.to_string())?.len();
    bounds::check_schema(&mut file, file_bytes)?;
    let again = file.try_clone().map_err(|error| error.to_string())?;
    let reader = SerializedFileReader::new(again).map_err(broken)?;
    let mut pages = Budget::of_file(file_bytes);
    bounds::check_pages(&mut file, file_bytes, reader.metadata(), &mut pages)?;
    let mut cells = Budget::of_file(file_bytes);
    let shared: Arc<Path> = path.into();
    // Parquet lets two columns have one name.
    let mut seen = HashSet::new();
    let columns = reader.metadata().file_metadata().schema_descr().root_schema().get_fields();
    let is_first: Vec<bool> =
        columns.iter().map(|column| seen.insert(column.name().to_owned())).collect();
    for record in reader.get_row_iter(None).map_err(broken)? {
        file::look_at_interrupt().map_err(|error| error.to_string())?;
        let record = record.map_err(broken)?;
        spend_row(&record, &mut cells)?;
        let mut row = Row::at(shared.clone(), 0);
        for ((name, field), is_first) in record.get_column_iter().zip(&is_first) {
            if !is_first {
                continue;
            }
            row = match field {
                Field::ListInternal(list) => {
                    row.list(name, list.elements().iter().filter_map(text).collect())
                }
                field => row.maybe(name, text(field)),
            };
        }
        intake.title(row);
    }
    Ok(())
}

/// Takes a row out of what the file may unfold to: a value can stand in a dictionary once and in
/// millions of rows.
fn spend_row(record: &Record, cells: &mut Budget) -> Result<(), String> {
    let mut bytes = VALUE_BYTES;
    for (name, field) in record.get_column_iter() {
        let cell = match field {
            Field::Str(text) => text.len(),
            Field::Bytes(bytes) => bytes.len(),
            Field::ListInternal(list) => list
                .elements()
                .iter()
                .map(|field| if let Field::Str(text) = field { text.len() } else { 8 })
                .sum(),
            _ => 8,
        };
        if cell > MAX_CELL_BYTES {
            return Err(format!("a cell of {name} has {cell} bytes, more than {MAX_CELL_BYTES}"));
        }
        bytes += cell as u64;
    }
    cells.spend(bytes)
}

fn text(field: &Field) -> Option<String> {
    match field {
        Field::Null => None,
        Field::Str(text) => Some(text.clone()),
        // Whole numbers as they are written in a catalog.
        Field::Double(number) if number.fract() == 0.0 => Some(format!("{number:.0}")),
        Field::Double(number) => Some(number.to_string()),
        other => Some(other.to_string()),
    }
}
