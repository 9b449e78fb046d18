//! A media library as Kodi, Jellyfin, Emby and Plex keep it.
//!
//! in: a folder; out: its films and shows ([`LibraryItem`]), each with the files that belong to
//! it. Folders are walked in the order of their names.
//!
//! source: Kodi wiki, "Naming video files/Movies", "Local trailers", "Movie artwork"; Jellyfin
//! documentation, "Movies". Two forms are known, and may be mixed:
//! - a folder of its own: `Title (Year)/` with the film, `movie.nfo` or `FILM.nfo`, `poster.jpg`
//!   or `folder.jpg`, `trailer.mp4` or `FILM-trailer.mp4`, or a folder `trailers`;
//! - one folder for many: `FILM.mkv`, `FILM.nfo`, `FILM-poster.jpg`, `FILM-trailer.mp4`.
//!
//! A show (`tvshow.nfo`) is one item; its seasons are not walked. Parts of one film (`-cd1`,
//! `-part2`) are one item, samples and extras are none. Hidden and linked folders are passed
//! over.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    ids::imdb_id_in,
    media_kind::{IMAGE, VIDEO, has_extension},
};

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
    /// Its trailer; the first by name, where it has several.
    pub trailer: Option<PathBuf>,
    /// Its subtitles, by name.
    pub subtitles: Vec<PathBuf>,
    /// Its screenplay (`FILM.fountain`, `screenplay.txt`).
    pub screenplay: Option<PathBuf>,
    /// The name as file or folder say it.
    pub name: String,
    /// The year as file or folder say it.
    pub year: Option<i32>,
    /// The IMDb id in the file's or the folder's name (`[imdbid-tt…]`, `{imdb-tt…}`).
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
    walk(root, &mut library)?;
    Ok(library)
}

/// Folders that hold what belongs to an item above them, or to none.
const INSIDE: [&str; 19] = [
    "trailers",
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
/// What the names of extras end with.
const EXTRAS: [&str; 11] = [
    "-sample",
    "-behindthescenes",
    "-deleted",
    "-deletedscene",
    "-featurette",
    "-interview",
    "-scene",
    "-short",
    "-clip",
    "-other",
    "-extra",
];
/// Folders that are a disc; the folder above is the item.
const DISCS: [&str; 2] = ["VIDEO_TS", "BDMV"];
const SUBTITLES: [&str; 2] = ["srt", "vtt"];
const SCREENPLAYS: [&str; 2] = ["fountain", "txt"];
/// A folder's own pictures, the best first.
const POSTERS: [&str; 5] = ["poster", "folder", "cover", "movie", "default"];

fn walk(folder: &Path, library: &mut Library) -> io::Result<()> {
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
    let here = Folder::new(folder, &files, &folders);
    library.items.extend(here.items());
    if here.named("tvshow.nfo").is_some() {
        return Ok(());
    }
    for inner in folders {
        let name = file_name(&inner);
        if INSIDE.contains(&name.to_lowercase().as_str()) || DISCS.contains(&name.as_str()) {
            continue;
        }
        if let Err(error) = walk(&inner, library) {
            library.unreadable.push((inner, error));
        }
    }
    Ok(())
}

/// One folder with its files, looked at as a whole.
struct Folder<'a> {
    path: &'a Path,
    files: &'a [PathBuf],
    disc: Option<&'a PathBuf>,
    /// Trailers in a folder of their own.
    trailers: Vec<PathBuf>,
    /// What the files of the films here begin with.
    stems: BTreeSet<String>,
}

impl<'a> Folder<'a> {
    fn new(path: &'a Path, files: &'a [PathBuf], folders: &'a [PathBuf]) -> Self {
        let mut stems = BTreeSet::new();
        for file in files {
            let stem = stem_of(file);
            if is_film(file) {
                stems.insert(without_part(&stem).to_owned());
            } else if let Some(film) = trailer_of(file) {
                stems.insert(film.to_owned());
            } else if has_extension(file, &["nfo"]) && !["movie", "tvshow"].contains(&&*stem) {
                stems.insert(without_part(&stem).to_owned());
            }
        }
        let inside = |name: &str| folders.iter().find(|f| file_name(f).eq_ignore_ascii_case(name));
        let mut trailers: Vec<PathBuf> = inside("trailers")
            .and_then(|folder| fs::read_dir(folder).ok())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|file| has_extension(file, &VIDEO))
            .collect();
        trailers.sort();
        let disc = DISCS.iter().find_map(|name| inside(name));
        Self { path, files, disc, trailers, stems }
    }

    fn items(&self) -> Vec<LibraryItem> {
        if self.stems.len() > 1 && self.named("tvshow.nfo").is_none() {
            return self.stems.iter().map(|stem| self.one_of_many(stem)).collect();
        }
        self.alone().into_iter().collect()
    }

    /// The item to which everything here belongs.
    fn alone(&self) -> Option<LibraryItem> {
        let own = self.stems.first().filter(|_| self.stems.len() == 1);
        let mut item = own.map_or_else(LibraryItem::default, |stem| self.one_of_many(stem));
        let folder_name = file_name(self.path);
        self.path.clone_into(&mut item.folder);
        if item.film.is_none() {
            item.film = self.disc.cloned();
        }
        if own.is_none() {
            item.stem.clone_from(&folder_name);
        }
        let nfo = ["tvshow.nfo", "movie.nfo"].iter().find_map(|name| self.named(name));
        item.nfo = item.nfo.or(nfo);
        item.trailer = item
            .trailer
            .or_else(|| self.by_stem(&VIDEO, |stem| ["trailer", "movie-trailer"].contains(&stem)))
            .or_else(|| self.trailers.first().cloned());
        item.poster = item
            .poster
            .or_else(|| POSTERS.iter().find_map(|name| self.by_stem(&IMAGE, |stem| stem == *name)));
        if item.subtitles.is_empty() {
            item.subtitles =
                self.files.iter().filter(|f| has_extension(f, &SUBTITLES)).cloned().collect();
        }
        item.screenplay = item.screenplay.or_else(|| {
            self.by_stem(&SCREENPLAYS, |stem| ["screenplay", "script"].contains(&stem))
        });
        // The folder's name says more than that of a file called `film.mkv`.
        let (name, year) = name_and_year(&folder_name);
        if own.is_none() || (item.year.is_none() && year.is_some()) {
            (item.name, item.year) = (name, year);
        }
        item.imdb_id = item.imdb_id.or_else(|| imdb_id_in(&folder_name));
        let is_there = item.film.is_some() || item.nfo.is_some() || item.trailer.is_some();
        is_there.then_some(item)
    }

    /// The item of a stem, with what bears its name.
    fn one_of_many(&self, stem: &str) -> LibraryItem {
        let of_film = |file: &&PathBuf| is_film(file) && without_part(&stem_of(file)) == stem;
        let (name, year) = name_and_year(stem);
        LibraryItem {
            folder: self.path.to_owned(),
            stem: stem.to_owned(),
            film: self.files.iter().find(of_film).cloned(),
            nfo: self.by_stem(&["nfo"], |s| s == stem || without_part(s) == stem),
            poster: self
                .by_stem(&IMAGE, |s| s.strip_suffix("-poster") == Some(stem))
                .or_else(|| self.by_stem(&IMAGE, |s| s == stem)),
            trailer: self.files.iter().find(|file| trailer_of(file) == Some(stem)).cloned(),
            subtitles: self
                .files
                .iter()
                .filter(|file| has_extension(file, &SUBTITLES))
                .filter(|file| {
                    let rest = file_name(file);
                    rest.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.'))
                })
                .cloned()
                .collect(),
            screenplay: self.by_stem(&["fountain"], |s| s == stem),
            name,
            year,
            imdb_id: imdb_id_in(stem),
        }
    }

    fn named(&self, name: &str) -> Option<PathBuf> {
        self.files.iter().find(|file| file_name(file).eq_ignore_ascii_case(name)).cloned()
    }

    fn by_stem(&self, extensions: &[&str], is_meant: impl Fn(&str) -> bool) -> Option<PathBuf> {
        let is_it = |file: &&PathBuf| has_extension(file, extensions) && is_meant(&stem_of(file));
        self.files.iter().find(is_it).cloned()
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn stem_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A video that is neither trailer nor extra.
fn is_film(file: &Path) -> bool {
    let stem = stem_of(file).to_lowercase();
    has_extension(file, &VIDEO)
        && !["trailer", "sample"].contains(&stem.as_str())
        && !stem.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with("-trailer")
        && !EXTRAS.iter().any(|extra| stem.ends_with(extra))
}

/// The stem of the film whose trailer this is: `FILM-trailer.mp4`, `FILM-trailer2.mp4`.
fn trailer_of(file: &Path) -> Option<&str> {
    if !has_extension(file, &VIDEO) {
        return None;
    }
    let stem = file.file_stem()?.to_str()?.trim_end_matches(|c: char| c.is_ascii_digit());
    stem.strip_suffix("-trailer").filter(|film| !film.is_empty() && *film != "movie")
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
mod tests {
    use super::*;

    fn found(files: &[&str]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let show = |path: &Option<PathBuf>| {
            path.as_ref().map_or_else(|| "-".to_owned(), |path| file_name(path))
        };
        let library = find(root.path()).unwrap();
        assert!(library.unreadable.is_empty());
        library
            .items
            .iter()
            .map(|i| {
                let year = i.year.map_or_else(String::new, |year| format!(" {year}"));
                let [film, nfo, poster, trailer] =
                    [&i.film, &i.nfo, &i.poster, &i.trailer].map(show);
                format!("{}{year}: {film} {nfo} {poster} {trailer} {}", i.name, i.subtitles.len())
            })
            .collect()
    }

    #[test]
    fn folders_of_their_own() {
        let items = found(&[
            "A (1995)/A (1995).mkv",
            "A (1995)/A (1995).nfo",
            "A (1995)/poster.jpg",
            "A (1995)/fanart.jpg",
            "A (1995)/A (1995)-trailer.mp4",
            "A (1995)/A (1995).en.srt",
            "A (1995)/extras/making.mkv",
            "B (2001) {imdb-tt9900001}/film.mp4",
            "B (2001) {imdb-tt9900001}/movie.nfo",
            "B (2001) {imdb-tt9900001}/folder.png",
            "B (2001) {imdb-tt9900001}/trailers/two.mp4",
            "B (2001) {imdb-tt9900001}/trailers/one.mp4",
            "C (2002)/movie.nfo",
            "C (2002)/trailer.mp4",
            "D (2003)/VIDEO_TS/VIDEO_TS.IFO",
            "D (2003)/VIDEO_TS/VTS_01_1.VOB",
            "Pictures/poster.jpg",
        ]);
        let expected = [
            "A 1995: A (1995).mkv A (1995).nfo poster.jpg A (1995)-trailer.mp4 1",
            "B 2001: film.mp4 movie.nfo folder.png one.mp4 0",
            "C 2002: - movie.nfo - trailer.mp4 0",
            "D 2003: VIDEO_TS - - - 0",
        ];
        assert_eq!(items, expected);
    }

    #[test]
    fn one_folder_for_many_with_parts_and_shows() {
        let items = found(&[
            "E (1999)-cd1.avi",
            "E (1999)-cd2.avi",
            "E (1999).nfo",
            "E (1999)-poster.jpg",
            "F.mkv",
            "F.jpg",
            "F-trailer1.mp4",
            "F-sample.mkv",
            "G (2000)-trailer.mp4",
            "Shows/H/tvshow.nfo",
            "Shows/H/poster.jpg",
            "Shows/H/Season 01/H S01E01.mkv",
            "Shows/H/Season 01/H S01E01.nfo",
            ".hidden/x.mkv",
        ]);
        let expected = [
            "E 1999: E (1999)-cd1.avi E (1999).nfo E (1999)-poster.jpg - 0",
            "F: F.mkv - F.jpg F-trailer1.mp4 0",
            "G 2000: - - - G (2000)-trailer.mp4 0",
            "H: - tvshow.nfo poster.jpg - 0",
        ];
        assert_eq!(items, expected);
    }

    #[test]
    fn names_say_the_year_and_parts_their_film() {
        let of = |name: &str, year| (name.to_owned(), year);
        assert_eq!(name_and_year("Heat (1995) [1080p]"), of("Heat", Some(1995)));
        assert_eq!(name_and_year("2001 (A) (1968)"), of("2001 (A)", Some(1968)));
        assert_eq!(name_and_year("(1995)"), of("(1995)", None));
        assert_eq!(name_and_year("[REC]"), of("[REC]", None));
        assert_eq!(name_and_year("1984"), of("1984", None));
        for (stem, film) in [
            ("A-cd1", "A"),
            ("A - part 2", "A"),
            ("Apart 2", "Apart 2"),
            ("Se7en", "Se7en"),
            ("B2", "B2"),
        ] {
            assert_eq!(without_part(stem), film);
        }
        assert!(find(Path::new("no/such")).is_err());
    }
}
