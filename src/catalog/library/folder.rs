//! What belongs together in one folder of a media library.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    LibraryItem, file_name, name_and_year, stem_of,
    trailers::{self, Place, TrailerStems, is_named_by_folder},
    without_part,
};
use crate::{
    base::file,
    catalog::{
        ids::imdb_id_in,
        media_kind::{IMAGE, VIDEO, has_extension},
        trailer_names::{self, is_folder_of_trailers, videos_in},
    },
};

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
pub(super) const DISCS: [&str; 2] = ["VIDEO_TS", "BDMV"];
const SUBTITLES: [&str; 2] = ["srt", "vtt"];
const SCREENPLAYS: [&str; 2] = ["fountain", "txt"];
/// A folder's own pictures, the best first.
const POSTERS: [&str; 5] = ["poster", "folder", "cover", "movie", "default"];

/// Folders beside one of trailers that make it one of many titles' trailers.
const COLLECTED: [&str; 2] = ["posters", "plots"];
/// Of a text beside a film so much is read.
const MAX_TEXT_BYTES: u64 = 1 << 18;

/// One folder with its files, looked at as a whole.
pub(super) struct Folder<'a> {
    path: &'a Path,
    files: &'a [PathBuf],
    disc: Option<&'a PathBuf>,
    /// Videos that are neither trailers nor extras.
    films: Vec<&'a PathBuf>,
    /// Trailers, in their order, with the stem of their film; `None` for those that are the
    /// whole folder's.
    trailers: Vec<(Option<String>, PathBuf)>,
    /// Subtitles that are no trailer's.
    subtitles: Vec<&'a PathBuf>,
    /// Texts beside the films that describe none of them.
    notes: Vec<&'a PathBuf>,
    /// What the files of the films here begin with.
    stems: BTreeSet<String>,
}

impl<'a> Folder<'a> {
    pub(super) fn new(
        path: &'a Path,
        files: &'a [PathBuf],
        folders: &'a [PathBuf],
        is_root: bool,
    ) -> Self {
        let inside = |name: &str| folders.iter().find(|f| file_name(f).eq_ignore_ascii_case(name));
        let mut folder = Self {
            path,
            files,
            disc: DISCS.iter().find_map(|name| inside(name)),
            films: Vec::new(),
            trailers: Vec::new(),
            subtitles: Vec::new(),
            notes: Vec::new(),
            stems: BTreeSet::new(),
        };
        let is_called = |file: &Path| {
            let stem = stem_of(file);
            let named = trailer_names::named(&stem);
            named.is_some_and(|named| named.is_sure || !is_named_by_folder(&stem, path))
        };
        let (trailers, films): (Vec<_>, Vec<_>) =
            files.iter().filter(|file| may_be_film(file)).partition(|file| is_called(file));
        for film in films {
            folder.add_film(film);
        }
        folder.add_sidecars();

        let of_trailers = folders.iter().filter(|f| is_folder_of_trailers(&file_name(f)));
        let descriptions = ["movie.nfo", "tvshow.nfo"];
        let place = Place {
            path,
            stems: &folder.stems,
            is_described: folder.disc.is_some()
                || descriptions.iter().any(|nfo| folder.named(nfo).is_some()),
            is_of_many: is_root || COLLECTED.iter().any(|name| inside(name).is_some()),
        };
        let inside_it = of_trailers.flat_map(|folder| videos_in(folder)).collect();
        let sorted = trailers::sorted(&place, trailers, inside_it);
        folder.stems.extend(sorted.elsewhere);
        for film in sorted.films {
            folder.add_film(film);
        }
        folder.trailers = sorted.trailers;

        let of_trailers = TrailerStems::new(path, &folder.trailers);
        let subtitles = files.iter().filter(|file| has_extension(file, &SUBTITLES));
        folder.subtitles = subtitles.filter(|file| !of_trailers.has(file)).collect();
        folder
    }

    fn add_film(&mut self, film: &'a PathBuf) {
        self.stems.insert(without_part(&stem_of(film)).to_owned());
        self.films.push(film);
    }

    /// An NFO file describes a film, though the film may be elsewhere; beside one, what is no XML
    /// is a text that was put there with it.
    fn add_sidecars(&mut self) {
        for file in self.files.iter().filter(|file| has_extension(file, &["nfo"])) {
            let stem = stem_of(file);
            let stem = without_part(&stem);
            if ["movie", "tvshow"].contains(&stem) || self.stems.contains(stem) {
                continue;
            }
            if self.films.is_empty() || is_markup(file) {
                self.stems.insert(stem.to_owned());
            } else {
                self.notes.push(file);
            }
        }
    }

    pub(super) fn items(&self) -> Vec<LibraryItem> {
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
        item.trailers = self.trailers.iter().map(|(_, trailer)| trailer.clone()).collect();
        item.poster = item
            .poster
            .or_else(|| POSTERS.iter().find_map(|name| self.by_stem(&IMAGE, |stem| stem == *name)));
        if item.subtitles.is_empty() {
            item.subtitles = self.subtitles.iter().copied().cloned().collect();
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
        item.imdb_id = item.imdb_id.or_else(|| self.notes.iter().find_map(|note| imdb_id_of(note)));
        let is_there = item.film.is_some() || item.nfo.is_some() || !item.trailers.is_empty();
        is_there.then_some(item)
    }

    /// The item of a stem, with what bears its name.
    fn one_of_many(&self, stem: &str) -> LibraryItem {
        let of_film = |file: &&&PathBuf| without_part(&stem_of(file)) == stem;
        let of_trailer = |of: &&(Option<String>, PathBuf)| of.0.as_deref() == Some(stem);
        let (name, year) = name_and_year(stem);
        LibraryItem {
            folder: self.path.to_owned(),
            stem: stem.to_owned(),
            film: self.films.iter().find(of_film).copied().cloned(),
            nfo: self.by_stem(&["nfo"], |s| s == stem || without_part(s) == stem),
            poster: self
                .by_stem(&IMAGE, |s| s.strip_suffix("-poster") == Some(stem))
                .or_else(|| self.by_stem(&IMAGE, |s| s == stem)),
            trailers: self.trailers.iter().filter(of_trailer).map(|of| of.1.clone()).collect(),
            subtitles: self
                .subtitles
                .iter()
                .copied()
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

    pub(super) fn named(&self, name: &str) -> Option<PathBuf> {
        self.files.iter().find(|file| file_name(file).eq_ignore_ascii_case(name)).cloned()
    }

    fn by_stem(&self, extensions: &[&str], is_meant: impl Fn(&str) -> bool) -> Option<PathBuf> {
        let is_it = |file: &&PathBuf| has_extension(file, extensions) && is_meant(&stem_of(file));
        self.files.iter().find(is_it).cloned()
    }
}

/// A video that is no extra; it may be a trailer.
fn may_be_film(file: &Path) -> bool {
    let stem = stem_of(file).to_lowercase();
    has_extension(file, &VIDEO)
        && stem != "sample"
        && !EXTRAS.iter().any(|extra| stem.ends_with(extra))
}

/// The beginning of a text.
fn beginning(file: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file::open(file)?.take(max_bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a file may be XML: it begins so, or is in UTF-16. That one cannot be read is told by
/// those who read it.
fn is_markup(file: &Path) -> bool {
    let Ok(bytes) = beginning(file, 256) else { return true };
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start();
    matches!(text.first(), Some(b'<' | 0xfe | 0xff))
}

/// The IMDb id in an address that a text names.
fn imdb_id_of(note: &Path) -> Option<String> {
    let bytes = beginning(note, MAX_TEXT_BYTES).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().filter(|line| line.contains("imdb.")).find_map(imdb_id_in)
}
