//! A media library as Kodi, Jellyfin, Emby and Plex keep it.
//!
//! in: a folder; out: its films and shows ([`LibraryItem`]), each with the files that belong to
//! it. Folders are walked in the order of their names.
//!
//! source: Kodi wiki, "Naming video files/Movies", "Movie artwork"; Jellyfin documentation,
//! "Movies"; of trailers `trailer_names`. Two forms are known, and may be mixed:
//! - a folder of its own: `Title (Year)/` with the film, `movie.nfo` or `FILM.nfo`, `poster.jpg`
//!   or `folder.jpg`, any number of trailers, beside the film or in a folder `trailers`;
//! - one folder for many: `FILM.mkv`, `FILM.nfo`, `FILM-poster.jpg`, `FILM-trailer.mp4`,
//!   `trailers/FILM.mp4`.
//!
//! A show (`tvshow.nfo`) is one item; its seasons are not walked. Parts of one film (`-cd1`,
//! `-part2`) are one item, samples and extras are none. Hidden and linked folders are passed
//! over.

mod folder;
mod trailers;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use self::folder::{DISCS, Folder};
use super::trailer_names;

/// A film or show of a library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibraryItem {
    /// The folder that holds it.
    pub folder: PathBuf,
    /// What its files' names begin with: the film's file name without extension and part; the
    /// folder's name where there is no film.
    pub stem: String,
    /// The film itself; its first part, where it has several.
    pub film: Option<PathBuf>,
    /// The sidecar that describes it.
    pub nfo: Option<PathBuf>,
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
}

/// What was found, and the folders that could not be read.
#[derive(Debug, Default)]
pub struct Library {
    /// In the order of their folders' names.
    pub items: Vec<LibraryItem>,
    /// Folders that were passed over, with the reason.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// Finds the items of a library.
///
/// # Errors
/// The folder itself cannot be read.
pub fn find(root: &Path) -> io::Result<Library> {
    let mut library = Library::default();
    walk(root, true, &mut library)?;
    Ok(library)
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

fn walk(folder: &Path, is_root: bool, library: &mut Library) -> io::Result<()> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        } else if entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    folders.sort();
    let here = Folder::new(folder, &files, &folders, is_root);
    library.items.extend(here.items());
    if here.named("tvshow.nfo").is_some() {
        return Ok(());
    }
    for inner in folders {
        let name = file_name(&inner);
        let is_inside = INSIDE.contains(&name.to_lowercase().as_str())
            || trailer_names::is_folder_of_trailers(&name)
            || DISCS.contains(&name.as_str());
        if is_inside {
            continue;
        }
        if let Err(error) = walk(&inner, false, library) {
            library.unreadable.push((inner, error));
        }
    }
    Ok(())
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
