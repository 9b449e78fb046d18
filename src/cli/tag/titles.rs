//! Which titles are tagged: what the paths of a command line hold, and where sidecars go.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use base::output::make_folder;
use catalog::{CatalogError, CatalogSpec, Hints, Opened, Seen};
use write::sidecar;

use super::{Args, Console, Failure};

/// The titles, and where sidecars go.
pub(super) struct Found {
    pub(super) opened: Opened,
    /// The folders that sidecars are written into, each with a journal of its own: the libraries
    /// themselves, or a tree; none where none are.
    pub(super) trees: Vec<PathBuf>,
}

/// The titles to tag.
pub(super) fn find(
    args: &Args,
    trained: &[CatalogSpec],
    console: &Console,
) -> Result<Found, Failure> {
    let hints = Hints {
        trained,
        id_column: args.id_column.as_deref(),
        only_library: args.writes_nfo_in_place(),
        // So that a file is found again in the journal.
        real_paths: args.writes_sidecars(),
        marker: args.in_place.then_some(sidecar::FOLDER),
        ..Hints::default()
    };
    let opened = catalog::open(&expand(&args.paths)?, &hints).map_err(by_flag)?;
    if let (Seen::CatalogInside, Some(inside)) = (opened.seen, &opened.file) {
        console.say(format!("{}: {}", inside.display(), opened.seen));
    }
    opened.told().for_each(|problem| console.problem(problem));
    let trees = match &args.sidecars {
        Some(tree) => {
            make_folder(tree)?;
            vec![fs::canonicalize(tree)?]
        }
        None if args.in_place => opened.roots.clone(),
        None => Vec::new(),
    };
    Ok(Found { opened, trees })
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

/// Patterns become the paths that fit them, `-` the paths that standard input lists.
fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut expanded = Vec::new();
    for path in paths {
        let text = path.to_string_lossy();
        if text == "-" {
            let mut list = String::new();
            std::io::stdin().read_to_string(&mut list)?;
            // As `find -print0` and as everything else writes them.
            let separator = if list.contains('\0') { '\0' } else { '\n' };
            let lines = list.split(separator).map(|line| line.trim_end_matches('\r'));
            expanded.extend(lines.filter(|line| !line.is_empty()).map(PathBuf::from));
        } else if !path.exists() && text.contains(['*', '?', '[']) {
            let fitting = glob::glob(&text).map_err(|error| {
                Failure::usage(
                    format!("{text}: no pattern ({error})"),
                    "`*` stands for any name, `**` for any folders",
                )
            })?;
            let before = expanded.len();
            expanded.extend(fitting.filter_map(Result::ok));
            if expanded.len() == before {
                return Err(Failure::usage(
                    format!("{text}: nothing fits this pattern"),
                    "`*` stands for any name, `**` for any folders",
                ));
            }
        } else {
            expanded.push(path.clone());
        }
    }
    if expanded.is_empty() {
        return Err(Failure::usage("no path is given", "standard input was empty"));
    }
    Ok(expanded)
}

/// The nearest folder above that has a journal already; this one where none has.
pub(super) fn tagged_before(folder: &Path) -> PathBuf {
    catalog::open::marked_above(folder, sidecar::FOLDER)
}

#[cfg(test)]
mod tests {
    use base::Hinted;

    use super::*;

    #[test]
    fn a_column_of_ids_that_is_not_there_is_named_by_its_flag() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("films.csv");
        fs::write(&path, "key,title\nx,A\n").unwrap();
        let hints = Hints { id_column: Some("kye"), ..Hints::default() };
        let error = by_flag(catalog::open(&[path], &hints).unwrap_err());
        assert!(error.hint().unwrap().contains("--id-column \"key\""), "{:?}", error.hint());
    }
}
