//! The titles of a catalog that nobody declared: a table as it was found.

use std::path::Path;

use catalog::{
    Catalog, CatalogError, CatalogSpec, Columns, GenreSpec, Problem, ProblemKind, Severity, Title,
};

use super::Console;

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
    let (catalog, problems) = load(path, trained, id_column).map_err(by_flag)?;
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

/// The training catalog's column names where they fit, else the default ones; with another column
/// of ids where one is named.
pub(super) fn load(
    path: &Path,
    trained: &[CatalogSpec],
    id_column: Option<&str>,
) -> Result<(Catalog, Vec<Problem>), CatalogError> {
    let genres = GenreSpec::default();
    let with_id = |spec: CatalogSpec| match id_column {
        Some(name) => {
            let columns = Columns { id: Some(name.to_owned()), ..spec.columns };
            CatalogSpec { columns, ..spec }
        }
        None => spec,
    };
    for trained in trained {
        let as_trained =
            CatalogSpec { path: path.to_owned(), genres: genres.clone(), ..trained.clone() };
        let named = CatalogSpec { metadata: trained.metadata.clone(), ..CatalogSpec::new(path) };
        for spec in [as_trained, named] {
            if let Ok(loaded) = catalog::load(&with_id(spec)) {
                return Ok(loaded);
            }
        }
    }
    catalog::load_numbered(&with_id(CatalogSpec::new(path)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base::Hinted;

    use super::*;

    #[test]
    fn a_column_of_ids_is_named_or_rows_are_numbered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("films.csv");
        fs::write(&path, "key,title,summary\nx,A,One.\ny,B,Two.\n").unwrap();
        let mut trained = CatalogSpec::new("trained.csv");
        trained.columns.plot = Some("summary".to_owned());
        trained.columns.id = Some("imdb_id".to_owned());
        let read = |id_column| titles(&path, std::slice::from_ref(&trained), id_column);
        let ids = |titles: &[Title]| titles.iter().map(|t| t.id.to_string()).collect::<Vec<_>>();
        let (found, _) = read(Some("key")).unwrap();
        assert_eq!(ids(&found), ["x", "y"]);
        assert_eq!(found[0].plot.as_deref(), Some("One."), "other columns are the bundle's");
        let (found, problems) = read(None).unwrap();
        assert_eq!(ids(&found), ["1", "2"]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        let error = read(Some("kye")).unwrap_err();
        assert!(error.hint().unwrap().contains("--id-column \"key\""), "{:?}", error.hint());
    }
}
