//! What belongs together in one folder of a media library.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    path::{Path, PathBuf},
};

use base::file;

use super::{
    LibraryItem,
    disc::Disc,
    file_name, name_and_year, stem_of,
    trailers::{self, Place, TrailerStems, is_named_by_folder},
    versions::Versions,
    with_name, without_part,
};
use crate::{
    ids::{imdb_id_in, tmdb_tag_in},
    media_kind::{IMAGE, VIDEO, has_extension},
    trailer_names::{self, is_folder_of_trailers, videos_in},
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
    disc: Option<Disc>,
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
    /// Which of these are one film's.
    versions: Versions,
}

impl<'a> Folder<'a> {
    pub(super) fn new(
        path: &'a Path,
        files: &'a [PathBuf],
        folders: &'a [PathBuf],
        is_root: bool,
    ) -> Self {
        let disc = Disc::find(files, folders);
        let is_on_disc = |file: &Path| has_extension(file, &["vob"]) && disc.is_some();
        let may_be_film = |file: &Path| may_be_film(file) && !is_on_disc(file);
        let is_called = |file: &Path| {
            let stem = stem_of(file);
            let named = trailer_names::named(&stem);
            named.is_some_and(|named| named.is_sure || !is_named_by_folder(&stem, path))
        };
        let (trailers, films): (Vec<_>, Vec<_>) =
            files.iter().filter(|file| may_be_film(file)).partition(|file| is_called(file));
        let mut folder = Self {
            path,
            files,
            disc,
            films: Vec::new(),
            trailers: Vec::new(),
            subtitles: Vec::new(),
            notes: Vec::new(),
            stems: BTreeSet::new(),
            versions: Versions::default(),
        };
        for film in films {
            folder.add_film(film);
        }
        folder.add_sidecars();
        folder.versions = Versions::of(&folder.stems, &file_name(path));
        folder.stems = folder.versions.titles();

        let of_trailers = folders.iter().filter(|f| is_folder_of_trailers(&file_name(f)));
        let descriptions = ["movie.nfo", "tvshow.nfo"];
        let place = Place {
            path,
            stems: &folder.stems,
            versions: &folder.versions,
            is_described: folder.disc.is_some()
                || descriptions.iter().any(|nfo| folder.named(nfo).is_some()),
            is_of_many: is_root || COLLECTED.iter().any(|name| with_name(folders, name).is_some()),
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
            let is_of_disc = self.disc.as_ref().is_some_and(|disc| disc.nfo.as_ref() == Some(file));
            if ["movie", "tvshow"].contains(&stem) || self.stems.contains(stem) || is_of_disc {
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
        if own.is_none() {
            item.stem.clone_from(&folder_name);
        }
        self.add_disc(&mut item);
        match self.named("tvshow.nfo") {
            Some(show) if item.nfos.is_empty() => item.nfos.push(show),
            Some(_) => {}
            None => item.nfos.extend(self.named("movie.nfo")),
        }
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
        item.tmdb_id = item.tmdb_id.or_else(|| tmdb_tag_in(&folder_name));
        let is_there = item.film.is_some() || !item.nfos.is_empty() || !item.trailers.is_empty();
        is_there.then_some(item)
    }

    /// The disc is the film where no file is, and its sidecar is the film's.
    fn add_disc(&self, item: &mut LibraryItem) {
        let Some(disc) = &self.disc else { return };
        let at = if item.film.is_none() { 0 } else { item.nfos.len() };
        item.film.get_or_insert_with(|| disc.film.clone());
        item.num_versions += 1;
        if let Some(nfo) = &disc.nfo {
            item.nfos.insert(at, nfo.clone());
        }
    }

    /// The item of a stem, with what bears its name or that of one of its versions.
    fn one_of_many(&self, stem: &String) -> LibraryItem {
        let stems = self.versions.stems_of(stem);
        let is_one = |other: &str| other == stem || stems.iter().any(|own| own == other);
        let film_of = |own: &String| {
            self.films.iter().copied().find(|film| without_part(&stem_of(film)) == own)
        };
        let films: Vec<&PathBuf> = stems.iter().filter_map(film_of).collect();
        let of_trailer = |of: &&(Option<String>, PathBuf)| of.0.as_ref() == Some(stem);
        let is_subtitle = |file: &&&PathBuf| {
            let name = file_name(file);
            let mut own = stems.iter().chain([stem]);
            own.any(|own| name.strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with('.')))
        };
        let (name, year) = name_and_year(stem);
        LibraryItem {
            folder: self.path.to_owned(),
            stem: stem.clone(),
            film: films.first().copied().cloned(),
            num_versions: films.len(),
            nfos: self.nfos_of(&films, is_one),
            poster: self
                .by_stem(&IMAGE, |s| s.strip_suffix("-poster").is_some_and(is_one))
                .or_else(|| self.by_stem(&IMAGE, is_one)),
            trailers: self.trailers.iter().filter(of_trailer).map(|of| of.1.clone()).collect(),
            subtitles: self.subtitles.iter().filter(is_subtitle).copied().cloned().collect(),
            screenplay: self.by_stem(&["fountain"], is_one),
            name,
            year,
            imdb_id: imdb_id_in(stem),
            tmdb_id: tmdb_tag_in(stem),
        }
    }

    /// Sidecars by their names: those of the films' files first, as media centres look for them.
    fn nfos_of(&self, films: &[&PathBuf], is_one: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let is_own = |file: &&PathBuf| {
            let stem = stem_of(file);
            has_extension(file, &["nfo"]) && (is_one(&stem) || is_one(without_part(&stem)))
        };
        let mut nfos: Vec<PathBuf> = self.files.iter().filter(is_own).cloned().collect();
        let stems: Vec<String> = films.iter().map(|film| stem_of(film)).collect();
        nfos.sort_by_key(|nfo| {
            stems.iter().position(|stem| *stem == stem_of(nfo)).unwrap_or(stems.len())
        });
        nfos
    }

    pub(super) fn named(&self, name: &str) -> Option<PathBuf> {
        with_name(self.files, name).cloned()
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
