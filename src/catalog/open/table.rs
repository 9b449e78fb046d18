//! A table that nobody declared, read as the catalogs were that models were trained on.

use std::path::Path;

use super::{Hints, Loaded};
use crate::{
    CatalogError, CatalogSpec, Columns, GenreSpec,
    load::{self, Heads},
};

/// The titles of a table: the training catalog's column names where they fit, else the default ones;
/// with another column of ids where one is named. A table without a column of ids is read all the
/// same, its titles numbered by their rows: whoever has a table tagged finds them again by their
/// order and names, and is not asked for a pipeline first.
///
/// # Errors
/// Those of [`load`](crate::load); no column of the name that was asked for.
pub(super) fn load(path: &Path, hints: &Hints<'_>) -> Result<Loaded, CatalogError> {
    let mut heads = Heads::default();
    let fitting = as_trained(path, hints).filter(|spec| !heads.lacks_column(spec));
    for spec in fitting {
        if let Ok(loaded) = load::load(&spec) {
            return Ok(loaded);
        }
    }
    load::load_numbered(&with_id(CatalogSpec::new(path), hints.id_column))
}

/// Whether a table's first rows have a column of posters or trailers, under any declaration that it
/// may be read by.
pub(super) fn has_media(path: &Path, hints: &Hints<'_>) -> bool {
    let mut heads = Heads::default();
    let mut specs = as_trained(path, hints).chain([CatalogSpec::new(path)]);
    specs.any(|spec| heads.has_media(&spec))
}

/// The declarations that a table may be read by, the likeliest first.
fn as_trained<'a>(path: &Path, hints: &Hints<'a>) -> impl Iterator<Item = CatalogSpec> + use<'a> {
    let (path, id_column) = (path.to_owned(), hints.id_column);
    hints.trained.iter().flat_map(move |trained| {
        let genres = GenreSpec::default();
        let whole = CatalogSpec { path: path.clone(), genres, ..trained.clone() };
        let named = CatalogSpec { metadata: trained.metadata.clone(), ..CatalogSpec::new(&path) };
        [whole, named].map(|spec| with_id(spec, id_column))
    })
}

fn with_id(spec: CatalogSpec, id_column: Option<&str>) -> CatalogSpec {
    match id_column {
        Some(name) => {
            let columns = Columns { id: Some(name.to_owned()), ..spec.columns };
            CatalogSpec { columns, ..spec }
        }
        None => spec,
    }
}
