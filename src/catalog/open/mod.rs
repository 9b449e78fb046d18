//! The one door: titles of whatever a person names.
//!
//! in: paths of a catalog file, a media library, loose media files or folders of them, and [`Hints`]
//! of what is known of them; out: [`Opened`]: the titles, what was seen, and for each title the place
//! that it has among a person's files. Commands, stages and services ask here and decide nothing of
//! it themselves. What a person declared ([`CatalogSpec`]) is [`load`]ed, here, too.
//!
//! What paths are, in this order:
//! - a file whose ending is a catalog's: that catalog, which stands alone;
//! - one folder that holds one table whose titles have media that are there: that table (`inside`);
//! - folders with films that have NFO files, trailers of their own or discs: a media library;
//! - anything else: loose media files, a title each ([`from_paths`]).

mod inside;
mod library;
mod place;
mod table;
#[cfg(test)]
mod tests;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use self::place::common_folder;
pub use self::place::{TitlePlace, marked_above};
use super::{
    Catalog, CatalogError, CatalogSpec, Format, Problem, ProblemKind, Severity, from_paths, load,
};

/// What a catalog holds, and what is wrong with its rows.
type Loaded = (Catalog, Vec<Problem>);

/// What is known of paths before they are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// How the catalogs were laid out that models were trained on. A table is read like the first
    /// that fits, a library like one that was a library.
    pub trained: &'a [CatalogSpec],
    /// The declaration that holds for the path if it is a file, or what its source reads: it is
    /// then read as declared or not at all.
    pub declared: Option<&'a CatalogSpec>,
    /// The column of a table that holds its titles' ids.
    pub id_column: Option<&'a str>,
    /// Only a media library will do: NFO files are to be written beside its films.
    pub only_library: bool,
    /// Files keep one name, whatever way they were named.
    pub real_paths: bool,
    /// A folder that lies in the root of what was written to before: of a path below, that is its root.
    pub marker: Option<&'a str>,
}

/// What paths were seen to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A catalog's file, or a declared source.
    Catalog,
    /// The one catalog in a folder.
    CatalogInside,
    /// One media library or several.
    Library,
    /// Loose media files.
    Media,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Catalog => "a catalog",
            Self::CatalogInside => "the folder's catalog",
            Self::Library => "a media library",
            Self::Media => "media files",
        })
    }
}

/// Titles, and what else is known of where they come from.
#[derive(Debug)]
pub struct Opened {
    /// The titles, and the genres that they state.
    pub catalog: Catalog,
    /// What was wrong on the way.
    pub problems: Vec<Problem>,
    /// What the paths were seen to be.
    pub seen: Seen,
    /// The catalog's file, where there is one.
    pub file: Option<PathBuf>,
    /// The folder that all titles lie in; ids of a library's titles are paths from here.
    pub root: PathBuf,
    /// The root, or of several paths the roots of their libraries; none lies in another.
    pub roots: Vec<PathBuf>,
    /// `[titles]`: each title's place among the files.
    pub places: Vec<TitlePlace>,
}

impl Opened {
    /// The problems but for those of genres, which say nothing to whoever wants genres given.
    pub fn told(&self) -> impl Iterator<Item = &Problem> {
        const OF_GENRES: [ProblemKind; 4] = [
            ProblemKind::BadGenres,
            ProblemKind::UnknownGenre,
            ProblemKind::RareGenre,
            ProblemKind::OddGenre,
        ];
        self.problems.iter().filter(|problem| !OF_GENRES.contains(&problem.kind))
    }

    /// How many rows could not be used.
    #[must_use]
    pub fn rows_left_out(&self) -> usize {
        self.told().filter(|problem| problem.severity == Severity::Error).count()
    }
}

/// Opens paths.
///
/// ```no_run
/// # use cinetag_catalog as catalog;
/// let opened = catalog::open(&["films".into()], &catalog::Hints::default())?;
/// println!("{}: {} titles", opened.seen, opened.catalog.titles.len());
/// for problem in opened.told() {
///     println!("{problem}");
/// }
/// # Ok::<(), catalog::CatalogError>(())
/// ```
///
/// # Errors
/// They are not there, nothing that has titles, or a catalog beside other paths; [`load`]'s.
pub fn open(paths: &[PathBuf], hints: &Hints<'_>) -> Result<Opened, CatalogError> {
    let mut paths = paths.to_vec();
    if hints.real_paths {
        paths = paths.iter().map(|path| real(path)).collect::<Result<_, _>>()?;
    }
    if let (Some(spec), [path]) = (hints.declared, &paths[..])
        && holds_for(spec, path)
    {
        let loaded = load(&CatalogSpec { path: path.clone(), ..spec.clone() })?;
        return Ok(of_table(path, loaded, Seen::Catalog, hints));
    }
    let is_catalog = |path: &&PathBuf| path.is_file() && Format::of_path(path).is_some();
    if let Some(catalog) = paths.iter().find(is_catalog) {
        if paths.len() > 1 {
            return Err(CatalogError::Paths {
                message: format!("{} is a catalog: it stands alone", catalog.display()),
                hint: "tag catalogs one at a time, or give only trailers, posters and folders"
                    .to_owned(),
            });
        }
        if hints.only_library {
            return Err(no_library());
        }
        let loaded = table::load(catalog, hints)?;
        return Ok(of_table(catalog, loaded, Seen::Catalog, hints));
    }
    if let [folder] = &paths[..]
        && folder.is_dir()
        && !hints.only_library
        && let Some((path, loaded)) = inside::catalog_inside(folder, hints)?
    {
        return Ok(of_table(&path, loaded, Seen::CatalogInside, hints));
    }
    of_files(&paths, hints)
}

/// How a path is declared that nobody declared: a file with the default column names, the folder's
/// catalog, a media library, or a folder of trailers.
///
/// # Errors
/// The folder cannot be read.
pub fn declare(path: &Path) -> Result<CatalogSpec, CatalogError> {
    let spec = |format| CatalogSpec { format, ..CatalogSpec::new(path) };
    if !path.is_dir() {
        return Ok(spec(Format::Auto));
    }
    if let Some((inside, _)) = inside::catalog_inside(path, &Hints::default())? {
        return Ok(CatalogSpec::new(inside));
    }
    let is_library = crate::library::Library::of(&[path.to_owned()])?.is_library();
    Ok(spec(Format::Source(if is_library { library::NAME } else { "trailers" })))
}

/// Whether a declaration says how this path is read: of a file, if its ending says the format where
/// the declaration does not, of a folder, if a source is declared.
fn holds_for(spec: &CatalogSpec, path: &Path) -> bool {
    match spec.format {
        Format::Source(_) => true,
        Format::Auto => !path.is_dir() && Format::of_path(path).is_some(),
        Format::Csv | Format::Tsv | Format::Jsonl => !path.is_dir(),
    }
}

fn real(path: &Path) -> Result<PathBuf, CatalogError> {
    fs::canonicalize(path).map_err(|error| CatalogError::Paths {
        message: format!("{}: cannot be read ({error})", path.display()),
        hint: "check the path".to_owned(),
    })
}

fn of_table(path: &Path, (catalog, problems): Loaded, seen: Seen, hints: &Hints<'_>) -> Opened {
    let root = place::root_of(place::folder_of(path).to_owned(), hints);
    let places = catalog.titles.iter().map(|title| TitlePlace::of_title(title, &root)).collect();
    let (roots, file) = (vec![root.clone()], Some(path.to_owned()));
    Opened { catalog, problems, seen, file, root, roots, places }
}

/// Titles of a media library where the folders are one, else one for each media file.
fn of_files(paths: &[PathBuf], hints: &Hints<'_>) -> Result<Opened, CatalogError> {
    let is_one = paths.len() == 1;
    let root = common_folder(paths);
    let root = if is_one { place::root_of(root, hints) } else { root };
    let read = if paths.iter().all(|path| path.is_dir()) {
        library::read(paths, &root, hints)?
    } else {
        None
    };
    let (catalog, problems, places, seen) = match read {
        Some(library::Read { catalog, problems, places }) => {
            (catalog, problems, places, Seen::Library)
        }
        None if hints.only_library => return Err(no_library()),
        None => {
            let (catalog, problems) = from_paths(paths)?;
            let of_title = |title| TitlePlace::of_title(title, &root);
            let places = catalog.titles.iter().map(of_title).collect();
            (catalog, problems, places, Seen::Media)
        }
    };
    let roots = if is_one { vec![root.clone()] } else { place::roots(paths, &places, hints) };
    Ok(Opened { catalog, problems, seen, file: None, root, roots, places })
}

/// NFO files beside what is no library would make it look like one.
fn no_library() -> CatalogError {
    CatalogError::Paths {
        message: "there is no media library: no folder with an NFO file, and no trailer that is \
                  called one"
            .to_owned(),
        hint: "write the sidecars into a tree of their own with --sidecars DIR, or name the \
               trailers trailer.mp4 or FILM-trailer.mp4"
            .to_owned(),
    }
}
