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

mod disc;
mod folder;
mod trailers;
mod versions;

use std::{
    io,
    path::{Path, PathBuf},
};

use self::{disc::is_disc, folder::Folder};
use super::{folders, trailer_names};

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

/// What was found, and the folders and links that could not be read.
#[derive(Debug, Default)]
pub struct Library {
    /// In the order of their folders' names.
    pub items: Vec<LibraryItem>,
    /// Folders and links that were passed over, with the reason.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// Finds the items of a library.
///
/// # Errors
/// The folder itself cannot be read, or Ctrl-C came.
pub fn find(root: &Path) -> io::Result<Library> {
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
