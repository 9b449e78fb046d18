//! Data as others publish and keep it, read as rows with the catalog's own column names.
//!
//! in: a file or folder of a [`Source`]'s form; out: one [`Row`] a title, with the columns
//! `id title year plot poster trailer genres group fold` where the source states them, ids of
//! other sites (`imdb_id`, `tmdb_id`), people (`director writer actors`, the names that the
//! metadata modality expects) and whatever else it says.
//!
//! A kind of source is one file here plus one row in [`SOURCES`]. A pipeline reads it with
//! `catalog.format = "NAME"`; `docs/sources.md` has a table of them.

mod gz;
mod imdb;
mod intake;
mod json;
mod kaggle;
mod library;
mod mm_imdb;
mod movielens;
mod movienet;
mod parquet;
mod table;
mod tmdb;
mod trailers;
mod trailers12k;
mod webdataset;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

pub use super::row::Row;
use super::{CatalogError, media_kind::has_extension, trailer_names};
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
pub static SOURCES: [&dyn Source; 11] = [
    &imdb::Imdb,
    &kaggle::Kaggle,
    &library::MediaLibrary,
    &mm_imdb::MmImdb,
    &movielens::MovieLens,
    &movienet::MovieNet,
    &parquet::Parquet,
    &tmdb::Tmdb,
    &trailers::Trailers,
    &trailers12k::Trailers12k,
    &webdataset::WebDataset,
];

/// The source of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Source> {
    SOURCES.into_iter().find(|source| source.name() == name)
}

/// A path as it is named from a folder.
fn relative(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned()
}

/// Trailers by the stem of their film (an id, mostly), in their order; as they are named from a
/// folder.
fn by_film<'a>(
    folder: &Path,
    trailers: impl IntoIterator<Item = &'a PathBuf>,
) -> HashMap<String, Vec<String>> {
    let mut trailers: Vec<&PathBuf> = trailers.into_iter().collect();
    trailers.sort_by_cached_key(|path| trailer_names::order(path));
    let mut by_film: HashMap<String, Vec<String>> = HashMap::new();
    for path in trailers {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let named = trailer_names::named(&stem).filter(|named| named.is_sure);
        let film = named.map(|named| named.film).filter(|film| !film.is_empty());
        let film = film.unwrap_or(&stem).to_owned();
        by_film.entry(film).or_default().push(relative(folder, path));
    }
    by_film
}

/// The file itself, or all files below a folder that end in one of these, in the order of their
/// names; hidden ones and linked folders are passed over.
fn files_below(path: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, CatalogError> {
    fn walk(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) -> io::Result<()> {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if entry.file_type()?.is_dir() {
                walk(&path, extensions, found)?;
            } else if has_extension(&path, extensions) {
                found.push(path);
            }
        }
        Ok(())
    }
    let failed = |source| CatalogError::File { path: path.to_owned(), action: "read", source };
    if fs::metadata(path).map_err(failed)?.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    walk(path, extensions, &mut found).map_err(failed)?;
    if found.is_empty() {
        return Err(CatalogError::Format {
            path: path.to_owned(),
            message: "the folder holds no file of this kind of source".to_owned(),
            hint: format!("files are looked for that end in .{}", extensions.join(", .")),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_name_among_the_formats() {
        assert_eq!(SOURCES.map(super::Source::name), crate::format::SOURCES);
    }
}
