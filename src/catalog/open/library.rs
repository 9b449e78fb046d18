//! Films of media libraries, read as a catalog of `format = "library"` is.

use std::path::{Path, PathBuf};

use super::{Hints, TitlePlace};
use crate::{
    Catalog, CatalogError, CatalogSpec, Columns, Format, GenreSpec, Problem, ProblemKind, Severity,
    library::{Library, TEXTS, Whose, describe, is_column},
    load::RowLoader,
};

/// The name of the source.
pub(super) const NAME: &str = "library";

/// Titles of a library, with their places.
pub(super) struct Read {
    pub(super) catalog: Catalog,
    pub(super) problems: Vec<Problem>,
    pub(super) places: Vec<TitlePlace>,
}

/// The films of the libraries in these folders; their ids are the folders' paths from the root.
/// `None` where they are no libraries, or hold no film: then every video may be a trailer.
pub(super) fn read(
    folders: &[PathBuf],
    root: &Path,
    hints: &Hints<'_>,
) -> Result<Option<Read>, CatalogError> {
    let mut library = Library::of(folders)?;
    if !library.is_library() {
        return Ok(None);
    }
    let spec = spec_of(root, hints.trained);
    let mut loader = RowLoader::with_fields(&spec, dropped(hints.trained))?;
    let mut problems = library.problems();
    let (mut places, mut shows, mut whose) = (Vec::new(), Vec::new(), Whose::default());
    for (item, is_alone) in library.items() {
        let uses = |column: &str| loader.uses(column);
        let described = describe(item, (root, is_alone), &uses, &mut whose, &mut problems);
        if !described.is_film {
            shows.push(item.folder.as_path());
        } else if loader.take(described.row) {
            places.push(TitlePlace::of_item(item, is_alone, described.ids));
        }
    }
    if places.is_empty() {
        return Ok(None);
    }
    problems.extend(left_out(&shows));
    let (catalog, of_rows) = loader.finish()?;
    problems.extend(of_rows);
    Ok(Some(Read { catalog, problems, places }))
}

/// Word of the shows, which are read and not given.
fn left_out(shows: &[&Path]) -> Option<Problem> {
    let first = shows.first()?;
    let problem = Problem::warning(
        ProblemKind::LeftOut,
        (first, 0),
        format!("shows and episodes are left out, {} here; only films are taken", shows.len()),
        "`catalog.format = \"library\"` reads them, too, for training",
    );
    Some(Problem { severity: Severity::Note, ..problem })
}

/// As the library was declared that a model was trained on; else with the default columns, but for
/// what is said in titles, which a model may have been taught to find in another column that
/// libraries have, too (an import of a library keeps their names).
fn spec_of(root: &Path, trained: &[CatalogSpec]) -> CatalogSpec {
    let (path, format) = (root.to_owned(), Format::Source(NAME));
    if let Some(declared) = trained.iter().find(|spec| spec.format == format) {
        let genres = GenreSpec::default();
        return CatalogSpec { path, format, genres, needs: Vec::new(), ..declared.clone() };
    }
    let named = |role: &Option<String>| role.clone().filter(|name| is_column(name));
    let texts = |spec: &CatalogSpec| Columns {
        title: named(&spec.columns.title),
        plot: named(&spec.columns.plot),
        transcript: named(&spec.columns.transcript),
        ..Columns::default()
    };
    let columns = trained.iter().map(texts).find(|columns| *columns != Columns::default());
    let columns = columns.unwrap_or_default();
    CatalogSpec { format, columns, ..CatalogSpec::new(path) }
}

/// Whole texts of every film of a large library are not kept where no model was trained on them.
fn dropped(trained: &[CatalogSpec]) -> &'static [&'static str] {
    let has_them = |spec: &CatalogSpec| {
        spec.format == Format::Source(NAME) || spec.metadata.iter().any(|n| TEXTS.contains(&n))
    };
    if trained.iter().any(has_them) { &[] } else { &TEXTS }
}
