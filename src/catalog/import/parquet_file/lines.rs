//! The Parquet file of lines that are being written.

use std::{fs::File, io, path::Path};

use base::Draft;
use parquet::file::writer::SerializedFileWriter;

use super::{
    super::record::Line,
    begin,
    columns::{Columns, Taught},
    failed,
    group::Group,
    write,
};
use crate::CatalogError;

/// Takes lines while they are written elsewhere, too.
pub(in crate::import) struct ParquetLines {
    draft: Draft,
    columns: Columns,
    group: Group,
    /// From the first full group on.
    writer: Option<SerializedFileWriter<File>>,
    /// Whether all lines so far are of the columns that the file has.
    fits: bool,
    written: io::Result<()>,
}

impl ParquetLines {
    /// Begins the file.
    ///
    /// # Errors
    /// Nothing can be written there.
    pub(in crate::import) fn begin(parquet: &Path) -> Result<Self, CatalogError> {
        Ok(Self {
            draft: Draft::begin(parquet).map_err(failed(parquet))?,
            columns: Columns::default(),
            group: Group::default(),
            writer: None,
            fits: true,
            written: Ok(()),
        })
    }

    pub(in crate::import) fn push(&mut self, lines: &[Line<'_>]) {
        for line in lines {
            let kinds = line.values().map(|(name, value)| (name, value.kind(name)));
            self.fits &= match self.columns.learn(kinds) {
                Taught::Nothing => true,
                Taught::Column => self.writer.is_none(),
                Taught::Kind => false,
            };
            if self.fits && self.written.is_ok() {
                self.group.push(&self.columns, line.values());
                if self.group.is_full() {
                    self.written = self.write_group();
                }
            }
        }
    }

    fn write_group(&mut self) -> io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(begin(self.draft.path(), &self.columns)?),
        };
        self.group.write(writer)
    }

    /// Publishes the file of the lines, which `catalog` holds, too.
    ///
    /// # Errors
    /// It cannot be written.
    pub(in crate::import) fn finish(
        mut self,
        catalog: &Path,
        parquet: &Path,
    ) -> Result<(), CatalogError> {
        if !self.fits {
            drop(self.draft);
            return write(&self.columns, catalog, parquet);
        }
        if self.written.is_ok() && !self.group.is_empty() {
            self.written = self.write_group();
        }
        let closed = self.writer.map_or(Ok(()), |writer| writer.close().map(|_| ()));
        self.written
            .and_then(|()| closed.map_err(io::Error::other))
            .and_then(|()| self.draft.publish())
            .map_err(failed(parquet))
    }
}
