//! The titles of a catalog that nobody declared: a table as it was found.

use std::path::Path;

use super::Console;
use crate::catalog::{
    self, Catalog, CatalogError, CatalogSpec, Columns, GenreSpec, Problem, ProblemKind, Severity,
    Title,
};

/// The titles of a table, and what is wrong with its rows. A table without a column of ids is read
/// all the same, its titles numbered by their rows: whoever has a table tagged finds them again by
/// their order and names, and is not asked for a pipeline first.
///
/// # Errors
/// Those of [`catalog::load`]; no column of the name that was asked for.
pub(super) fn titles(
    path: &Path,
    trained: &[CatalogSpec],
    id_column: Option<&str>,
) -> Result<(Vec<Title>, Vec<Problem>), CatalogError> {
    let (catalog, problems) = match id_column {
        Some(name) => {
            let columns = Columns { id: Some(name.to_owned()), ..Columns::default() };
            catalog::load(&CatalogSpec { columns, ..CatalogSpec::new(path) }).map_err(by_flag)?
        }
        None => load(path, trained)?,
    };
    Ok((catalog.titles, problems))
}

/// What a pipeline would set, this command has a flag for.
fn by_flag(error: CatalogError) -> CatalogError {
    match error {
        CatalogError::NoColumn { path, setting, column, found, hint }
            if setting == "columns.id" =>
        {
            let hint = hint.replace("set `catalog.columns.id` to", "give --id-column");
            CatalogError::NoColumn { path, setting, column, found, hint }
        }
        other => other,
    }
}

/// Says what is wrong with rows; gives how many are left out. Which genres a title has by its
/// catalog is not looked at.
pub(super) fn tell(problems: &[Problem], console: &Console) -> usize {
    let of_genres = [
        ProblemKind::BadGenres,
        ProblemKind::UnknownGenre,
        ProblemKind::RareGenre,
        ProblemKind::OddGenre,
    ];
    let told = problems.iter().filter(|problem| !of_genres.contains(&problem.kind));
    told.map(|problem| {
        console.problem(problem);
        usize::from(problem.severity == Severity::Error)
    })
    .sum()
}

/// The training catalog's column names where they fit, else the default ones.
pub(super) fn load(
    path: &Path,
    trained: &[CatalogSpec],
) -> Result<(Catalog, Vec<Problem>), CatalogError> {
    let genres = GenreSpec::default();
    for trained in trained {
        let as_trained =
            CatalogSpec { path: path.to_owned(), genres: genres.clone(), ..trained.clone() };
        let named = CatalogSpec { metadata: trained.metadata.clone(), ..CatalogSpec::new(path) };
        for spec in [as_trained, named] {
            if let Ok(loaded) = catalog::load(&spec) {
                return Ok(loaded);
            }
        }
    }
    catalog::load_numbered(&CatalogSpec::new(path))
}
