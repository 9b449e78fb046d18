//! A media library as Kodi, Jellyfin, Emby and Plex keep it.
//!
//! in: a folder; out: its films and shows ([`LibraryItem`]), each with the files that belong to
//! it. Folders are walked in the order of their names, linked ones, too (`catalog::folders`).
//!
//! source: Kodi wiki, "Naming video files/Movies", "Movie artwork", "NFO files/Movies"; Jellyfin
//! documentation, "Movies", "Local .nfo metadata"; of trailers `trailer_names`. Two forms are
//! known, and may be mixed:
//! - a folder of its own: `Title (Year)/` with the film, `movie.nfo` or `FILM.nfo`, `poster.jpg`
//!   or `folder.jpg`, any number of trailers, beside the film or in a folder `trailers`; the film
//!   may be a disc (`VIDEO_TS/`, `BDMV/`), whose NFO file lies in it;
//! - one folder for many: `FILM.mkv`, `FILM.nfo`, `FILM-poster.jpg`, `FILM-trailer.mp4`,
//!   `trailers/FILM.mp4`.
//!
//! A show (`tvshow.nfo`) is one item; its seasons are not walked. Parts of one film (`-cd1`,
//! `-part2`) and its `versions` are one item, samples and extras are none. Hidden folders are
//! passed over. docs/libraries.md says all of it to users.

mod describe;
mod disc;
mod folder;
mod trailers;
mod versions;
mod whose;

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
};

pub(super) use self::{
    describe::{TEXTS, describe, is_column},
    whose::Whose,
};
use self::{disc::is_disc, folder::Folder};
use super::{CatalogError, Problem, folders, trailer_names};

/// A film or show of a library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibraryItem {
    /// The folder that holds it.
    pub folder: PathBuf,
    /// What its files' names begin with: the film's file name without extension, part and, where
    /// it has several versions, without what tells them apart; the folder's name where there is no
    /// film.
    pub stem: String,
    /// The film itself: its first part, where it has several, of its first version; of a disc the
    /// folder, or `VIDEO_TS.IFO` where it lies in the film's own.
    pub film: Option<PathBuf>,
    /// How many versions of it there are.
    pub num_versions: usize,
    /// The sidecars that describe it. The first one is what is read: that of the film's file, of
    /// its other versions, `movie.nfo`; a disc's own comes first where there is no other film.
    pub nfos: Vec<PathBuf>,
    /// Its poster.
    pub poster: Option<PathBuf>,
    /// Its trailers: those that bear its name, then the others beside it, then those in a folder
    /// of trailers; each by name, teasers last.
    pub trailers: Vec<PathBuf>,
    /// Its subtitles, by name.
    pub subtitles: Vec<PathBuf>,
    /// Its screenplay (`FILM.fountain`, `screenplay.txt`).
    pub screenplay: Option<PathBuf>,
    /// The name as file or folder say it.
    pub name: String,
    /// The year as file or folder say it.
    pub year: Option<i32>,
    /// The IMDb id in the file's or the folder's name (`[imdbid-tt…]`, `{imdb-tt…}`), else in
    /// the text that a release group put beside the film.
    pub imdb_id: Option<String>,
    /// The number on TMDB in the file's or the folder's name (`[tmdbid-…]`, `{tmdb-…}`).
    pub tmdb_id: Option<String>,
}

/// The items of libraries.
#[derive(Debug, Default)]
pub struct Library {
    /// In the order of their folders' names.
    items: Vec<LibraryItem>,
    /// Folders and links that were passed over, with the reason.
    unreadable: Vec<(PathBuf, io::Error)>,
}

impl Library {
    /// Finds the items in folders, library by library; what lies in two of them comes once.
    ///
    /// # Errors
    /// A folder itself cannot be read, or Ctrl-C came.
    pub fn of(folders: &[PathBuf]) -> Result<Self, CatalogError> {
        let mut all = Self::default();
        let mut known = HashSet::new();
        for folder in folders {
            let found = find(folder).map_err(|source| CatalogError::File {
                path: folder.clone(),
                action: "read",
                source,
            })?;
            let place = |item: &LibraryItem| (item.folder.clone(), item.stem.clone());
            let is_new = |item: &LibraryItem| !known.contains(&place(item));
            let items: Vec<_> = found.items.into_iter().filter(is_new).collect();
            known.extend(items.iter().map(place));
            all.items.extend(items);
            all.unreadable.extend(found.unreadable);
        }
        Ok(all)
    }

    /// The items, and whether each is alone in its folder.
    pub fn items(&self) -> impl Iterator<Item = (&LibraryItem, bool)> {
        let mut num_in: HashMap<&Path, usize> = HashMap::new();
        for item in &self.items {
            *num_in.entry(&item.folder).or_default() += 1;
        }
        self.items.iter().map(move |item| (item, num_in[item.folder.as_path()] == 1))
    }

    /// What could not be read; told once.
    pub fn problems(&mut self) -> Vec<Problem> {
        folders::problems(std::mem::take(&mut self.unreadable)).collect()
    }

    /// Whether films are kept here together with what belongs to them. Videos of one folder of
    /// which some are called trailers and others are not may all be trailers.
    #[must_use]
    pub fn is_library(&self) -> bool {
        let is_video = |item: &LibraryItem| item.film.is_some() && item.trailers.is_empty();
        let videos: HashSet<&Path> =
            self.items.iter().filter(|item| is_video(item)).map(|item| &*item.folder).collect();
        let has_trailer = |item: &LibraryItem| {
            let is_beside_videos = || videos.contains(item.folder.as_path());
            !item.trailers.is_empty() && (item.film.is_some() || !is_beside_videos())
        };
        let is_disc = |item: &LibraryItem| item.film.as_ref().is_some_and(|film| film.is_dir());
        self.items.iter().any(|item| !item.nfos.is_empty() || has_trailer(item) || is_disc(item))
    }
}

/// Finds the items of one library.
fn find(root: &Path) -> io::Result<Library> {
    let mut items = Vec::new();
    let unreadable = folders::walk(root, |listing| {
        let is_root = listing.folder == root;
        let here = Folder::new(&listing.folder, &listing.files, &listing.folders, is_root);
        items.extend(here.items());
        if here.named("tvshow.nfo").is_some() {
            return Vec::new();
        }
        listing.folders.iter().filter(|inner| !is_part(&file_name(inner))).cloned().collect()
    })?;
    items.sort_by(|a: &LibraryItem, b| a.folder.cmp(&b.folder));
    Ok(Library { items, unreadable })
}

/// Folders that hold what belongs to an item above them, or to none.
const INSIDE: [&str; 18] = [
    "extras",
    "extra",
    "behind the scenes",
    "deleted scenes",
    "featurettes",
    "interviews",
    "scenes",
    "shorts",
    "clips",
    "other",
    "samples",
    "sample",
    "subs",
    "subtitles",
    "extrafanart",
    "extrathumbs",
    "backdrops",
    "theme-music",
];

/// Whether a folder of this name belongs to what lies above it.
fn is_part(name: &str) -> bool {
    INSIDE.contains(&name.to_lowercase().as_str())
        || trailer_names::is_folder_of_trailers(name)
        || is_disc(name)
}

fn with_name<'a>(paths: &'a [PathBuf], name: &str) -> Option<&'a PathBuf> {
    paths.iter().find(|path| file_name(path).eq_ignore_ascii_case(name))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn stem_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// `Film-cd1`, `Film - part 2` are parts of `Film`.
fn without_part(stem: &str) -> &str {
    let unnumbered = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    if unnumbered.len() == stem.len() {
        return stem;
    }
    let rest = unnumbered.trim_end().to_lowercase();
    ["cd", "part", "disc", "disk", "pt", "dvd"]
        .iter()
        .filter_map(|word| rest.strip_suffix(word))
        .find(|before| before.ends_with(['-', '_', '.', ' ']))
        .map_or(stem, |before| stem[..before.len()].trim_end_matches(['-', '_', '.', ' ']))
}

/// `Heat (1995)`, `Heat (1995) [1080p]` are Heat of 1995; without a year, what stands in
/// brackets is no part of the name either.
pub(super) fn name_and_year(stem: &str) -> (String, Option<i32>) {
    let plain = stem.split(['[', '{']).next().unwrap_or_default().trim();
    let plain = if plain.is_empty() { stem } else { plain };
    let mut found = plain.match_indices('(').filter_map(|(at, _)| {
        let (year, _) = plain[at + 1..].split_once(')')?;
        let year = Some(year).filter(|year| year.len() == 4)?.parse().ok()?;
        (at > 0 && (1870..=2100).contains(&year)).then(|| (plain[..at].trim().to_owned(), year))
    });
    match found.next_back() {
        Some((name, year)) if !name.is_empty() => (name, Some(year)),
        _ => (plain.to_owned(), None),
    }
}

#[cfg(test)]
mod tests;
