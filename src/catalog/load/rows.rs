//! Titles of rows that come one by one from elsewhere than a catalog's file.

use serde_json::Value;

use super::Loader;
use crate::{Catalog, CatalogError, CatalogSpec, Problem, Row, jsonl};

/// A catalog from rows that are being written into its file, or read where no file is.
pub(crate) struct RowLoader<'a> {
    loader: Loader<'a>,
    num_rows: u64,
}

impl<'a> RowLoader<'a> {
    /// For the JSON Lines at the declaration's path, as [`load`](super::load) will read them, but
    /// without the columns that have no role, which take most of the memory.
    ///
    /// # Errors
    /// As [`load`](super::load): a setting is out of range.
    pub(crate) fn new(spec: &'a CatalogSpec) -> Result<Self, CatalogError> {
        Ok(Self { loader: Loader { keeps_fields: false, ..Loader::new(spec)? }, num_rows: 0 })
    }

    /// With the columns that have no role, but for some that nobody asks for. No column need be
    /// there: of what is tagged a column may well be missing.
    ///
    /// # Errors
    /// As [`load`](super::load): a setting is out of range.
    pub(crate) fn with_fields(
        spec: &'a CatalogSpec,
        dropped: &'static [&'static str],
    ) -> Result<Self, CatalogError> {
        Ok(Self { loader: Loader { dropped, ..Loader::new(spec)? }, num_rows: 0 })
    }

    /// Whether a column of this name is looked at.
    pub(crate) fn uses(&self, name: &str) -> bool {
        self.loader.uses(name)
    }

    /// Takes the next line's values in columns that are [used](Self::uses).
    pub(crate) fn push<'v>(&mut self, values: impl IntoIterator<Item = (&'v str, Value)>) {
        self.num_rows += 1;
        let mut row = Row { line: self.num_rows, ..Row::default() };
        for (name, value) in values {
            row = row.with(name, jsonl::content(value));
        }
        self.loader.row(row);
    }

    /// Takes a row; says whether it gave a title.
    pub(crate) fn take(&mut self, mut row: Row) -> bool {
        let num_before = self.loader.titles.len();
        row.cells.retain(|(name, _)| self.loader.uses(name));
        self.loader.row(row);
        self.loader.titles.len() > num_before
    }

    /// The titles, and the problems of their rows.
    ///
    /// # Errors
    /// As [`load`](super::load): there is no title.
    pub(crate) fn finish(self) -> Result<(Catalog, Vec<Problem>), CatalogError> {
        self.loader.finish()
    }
}
