//! What folders, file names and NFO sidecars say of a film, as the row of a catalog.
//!
//! in: an item of a library; out: its [`Row`], the same whether models are trained on it or it is to be
//! tagged. Its id is the path of its folder in the library, with the film's stem where one folder
//! holds many: copies of one film in two folders are two titles, versions in one folder are one.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use base::{Hinted, file};

use super::{LibraryItem, whose::Whose};
use crate::{
    FilmIds, Problem, ProblemKind,
    nfo::{self, Nfo},
    row::{Content, Row},
    subtitles::{dialogue, screenplay},
};

/// Subtitles and screenplays larger than this are none.
const MAX_TEXT_BYTES: u64 = 8 << 20;

/// Columns that hold whole texts.
pub(crate) const TEXTS: [&str; 2] = ["dialogue", "screenplay"];

/// An item as it is described.
pub(crate) struct Described {
    pub(crate) row: Row,
    /// What media centres look it up by.
    pub(crate) ids: FilmIds,
    /// Whether it is neither a show nor an episode nor a music video.
    pub(crate) is_film: bool,
}

/// Describes an item; its paths are named from the root. Texts are read where their column is used.
pub(crate) fn describe(
    item: &LibraryItem,
    (root, is_alone): (&Path, bool),
    uses: &dyn Fn(&str) -> bool,
    whose: &mut Whose,
    problems: &mut Vec<Problem>,
) -> Described {
    let nfo = item.nfos.iter().find_map(|path| match read_nfo(path) {
        Ok(nfo) => Some((path, nfo)),
        Err(problem) => {
            problems.push(*problem);
            None
        }
    });
    let (nfo, curated) = match nfo {
        Some((path, nfo)) => {
            let mut curated = whose.genres(path, &nfo, problems);
            (Nfo { genres: std::mem::take(&mut curated.genres), ..nfo }, curated)
        }
        None => Default::default(),
    };
    let ids = FilmIds {
        imdb: nfo.ids.get("imdb").or(item.imdb_id.as_ref()).cloned(),
        tmdb: nfo.ids.get("tmdb").or(item.tmdb_id.as_ref()).cloned(),
    };
    let is_film = ["", "movie"].contains(&nfo.root.as_str());
    let mut subtitles = item.subtitles.iter().filter(|_| uses("dialogue"));
    let spoken = subtitles.find_map(|file| text(file, dialogue));
    let written = item.screenplay.as_ref().filter(|_| uses("screenplay"));
    let written = written.and_then(|file| text(file, screenplay));
    let row = row(root, (item, is_alone), nfo, &ids)
        .list("not_genres", curated.not_genres)
        .list("unknown_genres", curated.unknown_genres)
        .maybe("dialogue", spoken)
        .maybe("screenplay", written);
    Described { row, ids, is_film }
}

fn row(root: &Path, (item, is_alone): (&LibraryItem, bool), nfo: Nfo, ids: &FilmIds) -> Row {
    let relative =
        |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    let folder = relative(&item.folder);
    let id = match folder.as_str() {
        "" => item.stem.clone(),
        folder if is_alone => folder.to_owned(),
        folder => format!("{folder}/{}", item.stem),
    };
    let file = item.nfos.first().unwrap_or(&item.folder).as_path();
    Row::at(file.into(), 0)
        .with("id", Some(Content::Text(id)))
        .maybe("title", nfo.title.or_else(|| Some(item.name.clone())))
        .maybe("original_title", nfo.original_title)
        .maybe("year", nfo.year.or(item.year).map(|year| year.to_string()))
        .maybe("plot", nfo.plot)
        .maybe("tagline", nfo.tagline)
        .files("poster", relative, item.poster.as_slice())
        .files("trailer", relative, &item.trailers)
        .list("genres", nfo.genres)
        .maybe("group", nfo.set)
        .maybe("imdb_id", ids.imdb.as_ref())
        .maybe("tmdb_id", ids.tmdb.as_ref())
        .maybe("runtime_min", nfo.runtime_min.map(|minutes| minutes.to_string()))
        .maybe("mpaa", nfo.certificate)
        .list("country", nfo.countries)
        .list("language", nfo.languages)
        .list("studio", nfo.studios)
        .list("director", nfo.directors)
        .list("writer", nfo.writers)
        .list("actors", nfo.actors)
        .list("tags", nfo.tags)
        .maybe("film", item.film.as_ref().map(relative))
        .maybe("nfo", item.nfos.first().map(relative))
        .list("subtitles", item.subtitles.iter().map(relative).collect())
}

/// Whether a film of a library may have a column of this name.
pub(crate) fn is_column(name: &str) -> bool {
    const NAMES: [&str; 26] = [
        "id",
        "title",
        "original_title",
        "year",
        "plot",
        "tagline",
        "poster",
        "trailer",
        "genres",
        "not_genres",
        "unknown_genres",
        "group",
        "imdb_id",
        "tmdb_id",
        "runtime_min",
        "mpaa",
        "country",
        "language",
        "studio",
        "director",
        "writer",
        "actors",
        "tags",
        "film",
        "nfo",
        "subtitles",
    ];
    NAMES.contains(&name) || TEXTS.contains(&name)
}

/// What an NFO file says; a problem where it cannot be read.
fn read_nfo(path: &Path) -> Result<Nfo, Box<Problem>> {
    let warning = |line: u64, message: String, hint: &str| {
        Box::new(Problem::warning(ProblemKind::BadSidecar, (path, line), message, hint))
    };
    let mut bytes = Vec::new();
    // One byte more than is read is enough to refuse it.
    let limit = nfo::MAX_BYTES as u64 + 1;
    file::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(
        |error| {
            let message = format!("the NFO file cannot be read ({error})");
            warning(0, message, "give yourself the right to read it")
        },
    )?;
    nfo::read(&bytes).map_err(|error| {
        let message = format!("this is no NFO: {}", error.message);
        warning(error.line, message, &error.hint().unwrap_or_default())
    })
}

/// What a text file says, if it can be read and is not larger than a text.
fn text(path: &Path, read: fn(&[u8]) -> Option<String>) -> Option<String> {
    let is_text = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= MAX_TEXT_BYTES);
    is_text.then(|| file::read(path).ok()).flatten().and_then(|bytes| read(&bytes))
}
