//! Which titles are tagged: a catalog's, a media library's, or one for each file.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use base::output::make_folder;
use catalog::{CatalogSpec, Format};
use write::{Library, sidecar};

use super::{Args, Console, Failure, table};

/// The titles, and where sidecars go.
pub(super) struct Found {
    pub(super) library: Library,
    /// The catalog that they come from, where they come from one.
    pub(super) catalog: Option<PathBuf>,
    /// The folder that the titles lie in.
    pub(super) root: PathBuf,
    /// The folders that sidecars are written into, each with a journal of its own: the libraries
    /// themselves, or a tree; none where none are.
    pub(super) trees: Vec<PathBuf>,
    /// Rows of the catalog that could not be used.
    pub(super) rows_left_out: usize,
}

/// The titles to tag.
pub(super) fn find(
    args: &Args,
    trained: &[CatalogSpec],
    console: &Console,
) -> Result<Found, Failure> {
    let mut paths = expand(&args.paths)?;
    if args.writes_sidecars() {
        for path in &mut paths {
            // One name for each file, so that it is found again in the journal.
            *path = fs::canonicalize(&path).map_err(|error| {
                Failure::usage(
                    format!("{}: cannot be read ({error})", path.display()),
                    "check the path",
                )
            })?;
        }
    }
    let is_catalog = |path: &&PathBuf| path.is_file() && Format::of_path(path).is_some();
    let mut catalog = paths.iter().find(is_catalog).cloned();
    if let ([folder], None) = (&paths[..], &catalog)
        && folder.is_dir()
        && !args.writes_nfo_in_place()
        && let Some(inside) = catalog_inside(folder, trained)
    {
        console.say(format!("{}: the folder's catalog", inside.display()));
        catalog = Some(inside.clone());
        paths = vec![inside];
    }
    let root = match &catalog {
        Some(catalog) => folder_of(catalog).to_owned(),
        None => common_folder(&paths),
    };
    let root = if args.in_place && paths.len() == 1 { tagged_before(&root) } else { root };
    let mut rows_left_out = 0;
    let library = match &catalog {
        Some(catalog) if paths.len() > 1 => {
            return Err(Failure::usage(
                format!("{} is a catalog: it stands alone", catalog.display()),
                "tag catalogs one at a time, or give only trailers, posters and folders",
            ));
        }
        Some(_) if args.writes_nfo_in_place() => return Err(no_library()),
        Some(catalog) => {
            let (titles, problems) = table::titles(catalog, trained, args.id_column.as_deref())?;
            rows_left_out = table::tell(&problems, console);
            Library::of_titles(titles, &root)
        }
        None => of_paths(args, &paths, &root, console)?,
    };
    let trees = match &args.sidecars {
        Some(tree) => {
            make_folder(tree)?;
            vec![fs::canonicalize(tree)?]
        }
        None if args.in_place && paths.len() == 1 => vec![root.clone()],
        None if args.in_place => libraries(&paths, &library),
        None => Vec::new(),
    };
    Ok(Found { library, catalog, root, trees, rows_left_out })
}

/// The roots of several libraries: the folders that were named, or those above where these are
/// single films' folders. None lies in another.
fn libraries(paths: &[PathBuf], library: &Library) -> Vec<PathBuf> {
    let root = |path: &PathBuf| {
        let folder = folder_of(path);
        let above = folder.parent().filter(|_| library.has_films_in(folder));
        tagged_before(above.unwrap_or(folder))
    };
    let mut roots: Vec<PathBuf> = paths.iter().map(root).collect();
    // Sorted, a folder stands before those in it.
    roots.sort();
    roots.dedup_by(|inner, outer| inner.starts_with(outer));
    roots
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

/// Titles of a media library where the folders are one, else one for each media file.
fn of_paths(
    args: &Args,
    paths: &[PathBuf],
    root: &Path,
    console: &Console,
) -> Result<Library, Failure> {
    let folders: Vec<PathBuf> = paths.iter().filter(|path| path.is_dir()).cloned().collect();
    if folders.len() == paths.len() {
        let (library, problems) = Library::read(&folders, root)?;
        if !library.titles.is_empty() {
            for problem in &problems {
                console.warn(problem);
            }
            return Ok(library);
        }
    }
    if args.writes_nfo_in_place() {
        return Err(no_library());
    }
    let (found, problems) = catalog::from_paths(paths)?;
    table::tell(&problems, console);
    Ok(Library::of_titles(found.titles, root))
}

/// NFO files beside what is no library would make it look like one.
fn no_library() -> Failure {
    Failure::usage(
        "there is no media library: no folder with an NFO file, and no trailer that is called one",
        "write the sidecars into a tree of their own with --sidecars DIR, or name the trailers \
         trailer.mp4 or FILM-trailer.mp4",
    )
}

/// The one catalog that lies in a folder and whose titles have posters or trailers that are
/// there. Any other table (such as tags that were written there) is none.
fn catalog_inside(folder: &Path, trained: &[CatalogSpec]) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let mut fitting = entries.filter(|path| {
        path.is_file()
            && Format::of_path(path).is_some_and(|format| !matches!(format, Format::Source(_)))
            && table::load(path, trained, None).is_ok_and(|(catalog, _)| {
                let mut titles = catalog.titles.iter();
                titles.any(|title| {
                    title.poster.iter().chain(&title.trailers).any(|file| file.is_file())
                })
            })
    });
    let first = fitting.next()?;
    fitting.next().is_none().then_some(first)
}

fn folder_of(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) }
}

/// The deepest folder that holds all paths.
fn common_folder(paths: &[PathBuf]) -> PathBuf {
    let mut folders = paths.iter().map(|path| folder_of(path).to_owned());
    let first = folders.next().unwrap_or_default();
    folders.fold(first, |common, folder| {
        let is_above = |ancestor: &&Path| folder.starts_with(ancestor);
        common.ancestors().find(is_above).unwrap_or(Path::new("")).to_owned()
    })
}

/// The nearest folder above that has a journal already; this one where none has.
pub(super) fn tagged_before(folder: &Path) -> PathBuf {
    let has_journal = |folder: &&Path| folder.join(sidecar::FOLDER).is_dir();
    folder.ancestors().find(has_journal).unwrap_or(folder).to_owned()
}
