//! Parquet, such as an import writes: one row a title, columns by name.

use std::{path::Path, sync::Arc};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};

use super::{Intake, Row, Source};
use crate::{base::file, catalog::CatalogError};

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
        let broken = |error: parquet::errors::ParquetError| CatalogError::Format {
            path: path.to_owned(),
            message: format!("cannot be read as Parquet ({error})"),
            hint: "write it with Snappy or without compression; or convert it to CSV".to_owned(),
        };
        let reader = SerializedFileReader::new(file).map_err(broken)?;
        let shared: Arc<Path> = path.into();
        for record in reader.get_row_iter(None).map_err(broken)? {
            let record = record.map_err(broken)?;
            let mut row = Row::at(shared.clone(), 0);
            for (name, field) in record.get_column_iter() {
                if row.get(name).is_some() {
                    continue; // Parquet lets two columns have one name
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
