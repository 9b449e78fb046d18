//! Data as others publish and keep it, read as rows with the catalog's own column names.
//!
//! in: a file or folder of a [`Source`]'s form; out: one [`Row`] a title, with the columns
//! `id title year plot poster trailer genres group fold` where the source states them, ids of
//! other sites (`imdb_id`, `tmdb_id`), people (`director writer actors`, the names that the
//! metadata modality expects) and whatever else it says.
//!
//! A kind of source is one file here plus one row in [`SOURCES`]. A pipeline reads it with
//! `catalog.format = "NAME"`.

mod intake;
mod library;

use std::path::Path;

use super::CatalogError;
pub use super::row::Row;
pub use intake::{Intake, LeftOut};

/// A kind of data.
pub trait Source: Sync {
    /// Its name on the command line and in `catalog.format`.
    fn name(&self) -> &'static str;

    /// What it is, in one line.
    fn about(&self) -> &'static str;

    /// Under which terms its publisher gives it, in one line, as far as is generally known.
    fn terms(&self) -> &'static str;

    /// Reads all titles, in an order that depends on the data alone. Media are named by their
    /// paths, relative to `path` where that is a folder, else to the folder that holds it.
    ///
    /// # Errors
    /// There is no such data at `path`; single titles that cannot be read are problems.
    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError>;
}

/// All kinds, by name.
pub static SOURCES: [&dyn Source; 1] = [&library::MediaLibrary];

/// The source of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Source> {
    SOURCES.into_iter().find(|source| source.name() == name)
}
