//! The one catalog that lies in a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Hints, Loaded, table};
use crate::{CatalogError, Format, Title};

/// The one table in a folder whose titles have posters or trailers that are there, and its titles.
/// Any other table (such as tags that were written there) is none: most are told by their header,
/// and only those are read that have a column of media.
///
/// # Errors
/// The one that is there lacks the column of ids that was asked for.
pub(super) fn catalog_inside(
    folder: &Path,
    hints: &Hints<'_>,
) -> Result<Option<(PathBuf, Loaded)>, CatalogError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(None) };
    let mut fitting = None;
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let format = Format::of_path(&path).filter(|_| path.is_file());
        if !matches!(format, Some(Format::Csv | Format::Tsv | Format::Jsonl))
            || !table::has_media(&path, hints)
        {
            continue;
        }
        let loaded = match table::load(&path, hints) {
            // It may be the folder's catalog all the same.
            Err(error) if hints.id_column.is_some() => {
                let unnamed = table::load(&path, &Hints { id_column: None, ..*hints });
                unnamed.map(|loaded| (loaded, Some(error)))
            }
            loaded => loaded.map(|loaded| (loaded, None)),
        };
        let Ok((loaded, error)) = loaded else { continue };
        if !loaded.0.titles.iter().any(has_files) {
            continue;
        }
        if fitting.replace((path, loaded, error)).is_some() {
            return Ok(None);
        }
    }
    match fitting {
        None => Ok(None),
        Some((_, _, Some(error))) => Err(error),
        Some((path, loaded, None)) => Ok(Some((path, loaded))),
    }
}

fn has_files(title: &Title) -> bool {
    title.poster.iter().chain(&title.trailers).any(|file| file.is_file())
}
