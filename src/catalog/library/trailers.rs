//! Whose trailers lie in a folder of a media library.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
};

use super::{file_name, name_and_year, stem_of, versions::Versions, without_part};
use crate::{import::name_key, trailer_names};

/// What is known of the folder.
pub(super) struct Place<'a> {
    /// Its path.
    pub(super) path: &'a Path,
    /// What the files of its films begin with.
    pub(super) stems: &'a BTreeSet<String>,
    /// The versions of these.
    pub(super) versions: &'a Versions,
    /// Whether something says that the folder is one film: a disc, `movie.nfo`, `tvshow.nfo`.
    pub(super) is_described: bool,
    /// Whether a folder of trailers in it may be that of many titles which lie elsewhere.
    pub(super) is_of_many: bool,
}

/// What became of the videos that are called trailers.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    /// Trailers, in their order, with the stem of their film; `None` for those that are the
    /// whole folder's.
    pub(super) trailers: Vec<(Option<String>, PathBuf)>,
    /// Stems of films that are not here.
    pub(super) elsewhere: Vec<String>,
    /// Videos that are films, after all.
    pub(super) films: Vec<&'a PathBuf>,
}

/// Finds whose the trailers are, `beside` the films and `inside` a folder of trailers.
pub(super) fn sorted<'a>(
    place: &Place<'_>,
    mut beside: Vec<&'a PathBuf>,
    inside: Vec<PathBuf>,
) -> Sorted<'a> {
    let owners = Owners::new(place);
    let one = OneFilm::of(place);
    let is_called_so = |file: &&PathBuf| {
        trailer_names::named(&stem_of(file)).is_some_and(|n| n.film.is_empty() && n.is_sure)
    };
    let is_theirs = one.is_some() || beside.iter().any(is_called_so);
    beside.sort_by_cached_key(|file| trailer_names::order(file));
    let mut sorted = Sorted::default();
    let mut without_stem = Vec::new();
    for file in beside {
        let stem = stem_of(file);
        let Some(named) = trailer_names::named(&stem) else { continue };
        let film = without_part(named.film);
        let is_here = match film {
            "" => named.is_sure || is_theirs,
            words => one.as_ref().is_some_and(|one| one.may_be_called(words)),
        };
        if let Some(owner) = owners.find(film) {
            sorted.trailers.push((Some(owner.to_owned()), file.clone()));
        } else if is_here {
            without_stem.push(file.clone());
        } else if named.is_sure {
            sorted.elsewhere.push(film.to_owned());
            sorted.trailers.push((Some(film.to_owned()), file.clone()));
        } else {
            sorted.films.push(file);
        }
    }
    let sole = place.stems.first().filter(|_| place.stems.len() == 1);
    let is_of_nobody = place.stems.is_empty() && sorted.elsewhere.is_empty() && !place.is_of_many;
    sorted.trailers.extend(without_stem.into_iter().map(|file| (sole.cloned(), file)));
    for file in inside {
        let stem = stem_of(&file);
        let film = trailer_names::named(&stem).map_or(&*stem, |named| named.film);
        match owners.find(without_part(film)) {
            Some(owner) => sorted.trailers.push((Some(owner.to_owned()), file)),
            None if is_theirs || is_of_nobody => sorted.trailers.push((sole.cloned(), file)),
            None => {}
        }
    }
    sorted
}

/// Whether a video that may be a trailer is a film that is called so: `The Trailer (2010)/The
/// Trailer.mkv`.
pub(super) fn is_named_by_folder(stem: &str, folder: &Path) -> bool {
    let key = name_key(stem);
    key.is_some() && key == name_key(&name_and_year(&file_name(folder)).0)
}

/// Stems of trailers, by which files that belong to one are told from a film's.
pub(super) struct TrailerStems(HashSet<String>);

impl TrailerStems {
    /// Of the trailers that lie in the folder itself.
    pub(super) fn new(folder: &Path, trailers: &[(Option<String>, PathBuf)]) -> Self {
        let here = trailers.iter().filter(|(_, trailer)| trailer.parent() == Some(folder));
        Self(here.map(|(_, trailer)| stem_of(trailer).to_lowercase()).collect())
    }

    /// Whether a file is `X-trailer.en.srt` of `X-trailer.mp4`.
    pub(super) fn has(&self, file: &Path) -> bool {
        let name = file_name(file).to_lowercase();
        name.match_indices('.').any(|(at, _)| self.0.contains(&name[..at]))
    }
}

/// Films by what their trailers may be called.
struct Owners<'s> {
    by_stem: HashMap<String, &'s str>,
    by_name_and_year: HashMap<(String, i32), &'s str>,
}

impl<'s> Owners<'s> {
    fn new(place: &Place<'s>) -> Self {
        let mut owners = Self { by_stem: HashMap::new(), by_name_and_year: HashMap::new() };
        for (version, title) in place.versions.pairs() {
            owners.by_stem.entry(version.to_lowercase()).or_insert(title);
        }
        for stem in place.stems {
            owners.by_stem.entry(stem.to_lowercase()).or_insert(stem);
            if let Some(key) = key_of(stem) {
                owners.by_name_and_year.entry(key).or_insert(stem);
            }
        }
        owners
    }

    /// The film of that stem, else the first of that name and year (`Heat (1995) [1080p].mkv`,
    /// `Heat (1995)-trailer.mp4`).
    fn find(&self, film: &str) -> Option<&'s str> {
        let alike = || self.by_name_and_year.get(&key_of(film)?);
        self.by_stem.get(&film.to_lowercase()).or_else(alike).copied()
    }
}

fn key_of(stem: &str) -> Option<(String, i32)> {
    let (name, year) = name_and_year(stem);
    Some((name_key(&name)?, year?))
}

/// That everything in a folder belongs to one film or show.
struct OneFilm {
    /// The year that the folder's name says.
    year: Option<i32>,
    /// Whether the folder is known to be that film's, and not by chance the place of one.
    is_own: bool,
}

impl OneFilm {
    fn of(place: &Place<'_>) -> Option<Self> {
        let (name, year) = name_and_year(&file_name(place.path));
        let stem = place.stems.first();
        let is_called_so = |stem: &String| name_key(&name_and_year(stem).0) == name_key(&name);
        let is_own = place.is_described || year.is_some() || stem.is_some_and(is_called_so);
        let is_film = stem.map_or(is_own, |stem| !trailer_names::is_of_collection(stem));
        (place.stems.len() <= 1 && is_film).then_some(Self { year, is_own })
    }

    /// Whether a trailer may be its own whose name is not the film's: `Official Trailer-trailer`
    /// may be, that of a film of another year is not.
    fn may_be_called(&self, words: &str) -> bool {
        let year = name_and_year(words).1;
        self.is_own && (year.is_none() || year == self.year)
    }
}
