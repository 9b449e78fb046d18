//! A CSV or TSV file of a source, row by row, with cells by the header's names.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Intake, gz};
use crate::{
    CatalogError, ProblemKind,
    delimited::{DelimitedReader, Record},
    row::Content,
};

/// A table whose header was read.
pub(super) struct Table {
    pub(super) path: Arc<Path>,
    reader: DelimitedReader<gz::ReadAhead>,
    pub(super) columns: Vec<String>,
}

/// A row's cells.
pub(super) struct Cells<'a> {
    columns: &'a [String],
    record: &'a Record,
}

impl<'a> Cells<'a> {
    /// The text of the column of a name; `None` where it is blank or there is none.
    pub(super) fn get(&self, column: &str) -> Option<&'a str> {
        self.at(self.columns.iter().position(|c| c == column)?)
    }

    pub(super) fn at(&self, column_idx: usize) -> Option<&'a str> {
        match &self.record.cells.get(column_idx)?.as_ref()?.content {
            Content::Text(text) => Some(text),
            Content::List(_) => None,
        }
    }

    /// Line it begins on.
    pub(super) fn line(&self) -> u64 {
        self.record.line
    }
}

impl Table {
    /// Opens a table; the delimiter is what stands most often in the header.
    pub(super) fn open(path: &Path) -> Result<Self, CatalogError> {
        let failed = |source| CatalogError::File { path: path.to_owned(), action: "read", source };
        let mut file = gz::open(path).map_err(failed)?;
        let head = std::io::BufRead::fill_buf(&mut file).map_err(failed)?;
        let line = head.split(|&b| b == b'\n').next().unwrap_or_default();
        let count = |delimiter: &u8| line.split(|b| b == delimiter).count();
        let delimiter = [b'|', b';', b'\t', b','].into_iter().max_by_key(count).unwrap_or(b',');
        let mut reader = DelimitedReader::new(file, delimiter, true);
        let columns = match reader.next_record().map_err(failed)? {
            Some(Ok(header)) => header
                .cells
                .into_iter()
                .map(|cell| cell.map_or_else(String::new, crate::row::Cell::into_text))
                .collect(),
            _ => {
                return Err(CatalogError::Format {
                    path: path.to_owned(),
                    message: "there is no header".to_owned(),
                    hint: "the first line names the columns".to_owned(),
                });
            }
        };
        Ok(Self { path: path.into(), reader, columns })
    }

    /// As [`Table::open`], for a table that must have these columns.
    pub(super) fn open_with(path: &Path, needed: &[&str]) -> Result<Self, CatalogError> {
        let table = Self::open(path)?;
        match needed.iter().find(|name| !table.columns.iter().any(|c| c == *name)) {
            None => Ok(table),
            Some(missing) => Err(CatalogError::Format {
                path: path.to_owned(),
                message: format!(
                    "there is no column `{missing}`; found: {}",
                    table.columns.join(", ")
                ),
                hint: "see docs/sources.md for the columns of each kind of source".to_owned(),
            }),
        }
    }

    /// Every row; one that cannot be taken apart is a problem.
    pub(super) fn for_each(
        mut self,
        intake: &mut Intake<'_>,
        mut each: impl FnMut(&Cells, &mut Intake<'_>),
    ) -> Result<(), CatalogError> {
        let path: PathBuf = self.path.to_path_buf();
        loop {
            let failed = |source| CatalogError::File { path: path.clone(), action: "read", source };
            let record = match self.reader.next_record().map_err(failed)? {
                None => return Ok(()),
                Some(Ok(record)) => record,
                Some(Err(bad)) => {
                    let place = (path.as_path(), bad.place.line);
                    intake.warn(ProblemKind::MalformedRow, place, bad.message, &bad.hint);
                    continue;
                }
            };
            if record.cells.len() == self.columns.len() {
                each(&Cells { columns: &self.columns, record: &record }, intake);
            } else {
                let (found, expected) = (record.cells.len(), self.columns.len());
                intake.warn(
                    ProblemKind::MalformedRow,
                    (&path, record.line),
                    format!("{found} cells where the header has {expected}; the row is left out"),
                    "quote cells that hold the delimiter, and write empty cells too",
                );
            }
        }
    }
}
