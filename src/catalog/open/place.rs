//! Where titles lie among a person's files: their sidecars, and the roots of what is written to.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use super::Hints;
use crate::{FilmIds, Title, library::LibraryItem};

/// A title's place among a person's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TitlePlace {
    /// The folder that its sidecars lie in.
    pub folder: PathBuf,
    /// The sidecars as NFO files: all that are there, or where one would lie.
    pub nfos: Vec<PathBuf>,
    /// What media centres look the film up by.
    pub ids: FilmIds,
}

impl TitlePlace {
    /// Of a title that stands in no media library: a sidecar bears the name of the trailer, of the
    /// poster where there is no trailer, and of the id where there is neither.
    #[must_use]
    pub fn of_title(title: &Title, folder: &Path) -> Self {
        let nfo = match title.trailers.first().or(title.poster.as_ref()) {
            Some(media) => media.with_extension("nfo"),
            None => folder.join(format!("{}.nfo", file_name(title.id.as_str()))),
        };
        let folder = nfo.parent().unwrap_or(Path::new("")).to_owned();
        Self { folder, nfos: vec![nfo], ids: FilmIds::of_title(title) }
    }

    /// Of a film of a library.
    pub(super) fn of_item(item: &LibraryItem, is_alone: bool, ids: FilmIds) -> Self {
        Self { folder: item.folder.clone(), nfos: sidecars(item, is_alone), ids }
    }
}

/// All NFO files of a film, since media centres differ in which of them they read; where there is
/// none, the place where all of them look for one.
fn sidecars(item: &LibraryItem, is_alone: bool) -> Vec<PathBuf> {
    if !item.nfos.is_empty() {
        return item.nfos.clone();
    }
    let named = |name: &str| item.folder.join(format!("{name}.nfo"));
    vec![match &item.film {
        // Of a Blu-ray, Jellyfin looks for no other, and Kodi takes it where it is the only one.
        Some(disc) if disc.is_dir() => match disc.file_name() {
            Some(name) if name.eq_ignore_ascii_case("VIDEO_TS") => disc.join("VIDEO_TS.nfo"),
            _ => named(&item.folder.file_name().unwrap_or_default().to_string_lossy()),
        },
        Some(film) if item.num_versions <= 1 || !is_alone => film.with_extension("nfo"),
        _ if is_alone => named("movie"),
        _ => named(&item.stem),
    }]
}

/// An id as a file's name: what file systems do not take becomes `_`.
fn file_name(id: &str) -> String {
    let is_taken = |c: char| !c.is_control() && !"/\\:*?\"<>|".contains(c);
    let name: String = id.chars().map(|c| if is_taken(c) { c } else { '_' }).collect();
    let name = name.trim_matches(['.', ' ']);
    if name.is_empty() { "_".to_owned() } else { name.to_owned() }
}

pub(super) fn folder_of(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) }
}

/// The deepest folder that holds all paths.
pub(super) fn common_folder(paths: &[PathBuf]) -> PathBuf {
    let mut folders = paths.iter().map(|path| folder_of(path).to_owned());
    let first = folders.next().unwrap_or_default();
    folders.fold(first, |common, folder| {
        let is_above = |ancestor: &&Path| folder.starts_with(ancestor);
        common.ancestors().find(is_above).unwrap_or(Path::new("")).to_owned()
    })
}

/// The nearest folder above, the folder itself included, that holds a folder of this name; this one
/// where none does.
#[must_use]
pub fn marked_above(folder: &Path, marker: &str) -> PathBuf {
    let is_marked = |folder: &&Path| folder.join(marker).is_dir();
    folder.ancestors().find(is_marked).unwrap_or(folder).to_owned()
}

/// The root that a folder belongs to.
pub(super) fn root_of(folder: PathBuf, hints: &Hints<'_>) -> PathBuf {
    match hints.marker {
        Some(marker) => marked_above(&folder, marker),
        None => folder,
    }
}

/// The roots of several libraries: the folders that were named, or those above where these are
/// single films' folders. None lies in another.
pub(super) fn roots(paths: &[PathBuf], places: &[TitlePlace], hints: &Hints<'_>) -> Vec<PathBuf> {
    let films: HashSet<&Path> = places.iter().map(|place| place.folder.as_path()).collect();
    let root = |path: &PathBuf| {
        let folder = folder_of(path);
        let above = folder.parent().filter(|_| films.contains(folder));
        root_of(above.unwrap_or(folder).to_owned(), hints)
    };
    let mut roots: Vec<PathBuf> = paths.iter().map(root).collect();
    // Sorted, a folder stands before those in it.
    roots.sort();
    roots.dedup_by(|inner, outer| inner.starts_with(outer));
    roots
}
