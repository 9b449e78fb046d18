//! Titles with the places of their sidecars.
//!
//! in: media libraries as Kodi and Jellyfin keep them ([`catalog::library`]), or titles of any
//! other catalog; out: [`Library`]. The film itself is never decoded: what is looked at is
//! poster, trailer and what the NFO says.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use base::{TitleId, file};
use catalog::{
    Title,
    library::LibraryItem,
    nfo::{self, Nfo},
};

use super::{WriteError, format::FilmIds, sidecar::Place};

/// Titles with the places of their sidecars.
#[derive(Debug, Default)]
pub struct Library {
    /// The titles.
    pub titles: Vec<Title>,
    /// `[titles]`: the sidecars as NFO files: all that are there, or where one would lie.
    pub nfos: Vec<Vec<PathBuf>>,
    /// `[titles]`: what media centres look the film up by.
    ids: Vec<FilmIds>,
    /// The folders that films lie in.
    folders: BTreeSet<PathBuf>,
}

impl Library {
    /// The films of media libraries below `root`, and what could not be read, in words. Ids are
    /// the folders' paths from the root. No title at all where the folders hold neither an NFO
    /// file nor a trailer that is told from films: then every video may be a trailer.
    ///
    /// # Errors
    /// A folder that was named cannot be read.
    pub fn read(folders: &[PathBuf], root: &Path) -> Result<(Self, Vec<String>), WriteError> {
        let mut items: Vec<LibraryItem> = Vec::new();
        let mut problems = Vec::new();
        for folder in folders {
            let found = catalog::library::find(folder).map_err(WriteError::file(folder))?;
            items.extend(found.items);
            problems.extend(found.unreadable.into_iter().map(|(folder, error)| {
                format!("{}: cannot be read ({error}); it is passed over", folder.display())
            }));
        }
        let mut library = Self::default();
        if !is_library(&items) {
            return Ok((library, problems));
        }
        let mut num_in: BTreeMap<&Path, usize> = BTreeMap::new();
        for item in &items {
            *num_in.entry(&item.folder).or_default() += 1;
        }
        for item in &items {
            let nfo = read_nfo(item, &mut problems);
            if !["", "movie"].contains(&nfo.root.as_str()) {
                continue; // a show or an episode
            }
            library.folders.insert(item.folder.clone());
            library.nfos.push(sidecars(item, num_in[item.folder.as_path()] == 1));
            library.ids.push(FilmIds {
                imdb: nfo.ids.get("imdb").or(item.imdb_id.as_ref()).cloned(),
                tmdb: nfo.ids.get("tmdb").or(item.tmdb_id.as_ref()).cloned(),
            });
            let relative = item.folder.strip_prefix(root).unwrap_or(&item.folder);
            let mut id = relative.to_path_buf();
            if num_in[item.folder.as_path()] > 1 || id.as_os_str().is_empty() {
                id.push(&item.stem);
            }
            library.titles.push(title(&id.to_string_lossy(), item, nfo));
        }
        Ok((library, problems))
    }

    /// Titles that stand in no media library: a sidecar bears the name of the trailer, of the
    /// poster where there is no trailer, and of the id where there is neither.
    #[must_use]
    pub fn of_titles(titles: Vec<Title>, folder: &Path) -> Self {
        let nfo = |title: &Title| match title.trailers.first().or(title.poster.as_ref()) {
            Some(media) => media.with_extension("nfo"),
            None => folder.join(format!("{}.nfo", file_name(title.id.as_str()))),
        };
        let nfos: Vec<_> = titles.iter().map(|title| vec![nfo(title)]).collect();
        let ids = titles.iter().map(FilmIds::of_title).collect();
        let folder_of = |nfo: &PathBuf| nfo.parent().map(Path::to_owned);
        let folders = nfos.iter().flatten().filter_map(folder_of).collect();
        Self { titles, nfos, ids, folders }
    }

    /// Whether films lie in this folder itself.
    #[must_use]
    pub fn has_films_in(&self, folder: &Path) -> bool {
        self.folders.contains(folder)
    }

    /// A title's sidecars with another ending, in place or in a parallel tree: `root` is the
    /// library's, `tree` that of the files that are written. Only NFO files may be several.
    #[must_use]
    pub fn places(&self, idx: usize, root: &Path, tree: &Path, extension: &str) -> Vec<Place> {
        let num = if extension == "nfo" { self.nfos[idx].len() } else { 1 };
        let place = |nfo: &PathBuf| {
            let sidecar = nfo.with_extension(extension);
            let below = sidecar.strip_prefix(root).ok();
            let name = || sidecar.file_name().unwrap_or_default().as_ref();
            let target = below.unwrap_or_else(name).to_owned();
            let origin = (tree != root).then_some(sidecar);
            Place { target, origin, ids: self.ids[idx].clone() }
        };
        self.nfos[idx].iter().take(num).map(place).collect()
    }
}

/// Whether films are kept here together with what belongs to them. Videos of one folder of which
/// some are called trailers and others are not may all be trailers.
fn is_library(items: &[LibraryItem]) -> bool {
    let is_beside_videos = |item: &LibraryItem| {
        let is_video = |other: &LibraryItem| other.film.is_some() && other.trailers.is_empty();
        items.iter().any(|other| other.folder == item.folder && is_video(other))
    };
    let has_trailer = |item: &LibraryItem| {
        !item.trailers.is_empty() && (item.film.is_some() || !is_beside_videos(item))
    };
    let is_disc = |item: &LibraryItem| item.film.as_ref().is_some_and(|film| film.is_dir());
    items.iter().any(|item| !item.nfos.is_empty() || has_trailer(item) || is_disc(item))
}

/// What the first NFO file says that can be read.
fn read_nfo(item: &LibraryItem, problems: &mut Vec<String>) -> Nfo {
    let mut read = |path: &PathBuf| {
        let nfo = file::read(path).map_err(|error| error.to_string());
        let nfo = nfo.and_then(|bytes| nfo::read(&bytes).map_err(|error| error.to_string()));
        nfo.map_err(|error| problems.push(format!("{}: {error}", path.display()))).ok()
    };
    item.nfos.iter().find_map(&mut read).unwrap_or_default()
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

/// The title, its metadata under the names that the catalogs' columns have.
fn title(id: &str, item: &LibraryItem, nfo: Nfo) -> Title {
    let lists = [
        ("runtime_min", nfo.runtime_min.map(|minutes| minutes.to_string()).into_iter().collect()),
        ("mpaa", nfo.certificate.into_iter().collect()),
        ("country", nfo.countries),
        ("language", nfo.languages),
        ("studio", nfo.studios),
        ("director", nfo.directors),
        ("writer", nfo.writers),
        ("actors", nfo.actors),
    ];
    let fields = lists
        .into_iter()
        .filter(|(_, values): &(&str, Vec<String>)| !values.is_empty())
        .map(|(name, values)| (name.to_owned(), values.join("|")))
        .collect();
    Title {
        name: nfo.title.unwrap_or_else(|| item.name.clone()),
        year: nfo.year.or(item.year),
        plot: nfo.plot,
        poster: item.poster.clone(),
        trailers: item.trailers.clone(),
        fields,
        ..Title::new(TitleId::new(id))
    }
}

/// An id as a file's name: what file systems do not take becomes `_`.
fn file_name(id: &str) -> String {
    let is_taken = |c: char| !c.is_control() && !"/\\:*?\"<>|".contains(c);
    let name: String = id.chars().map(|c| if is_taken(c) { c } else { '_' }).collect();
    let name = name.trim_matches(['.', ' ']);
    if name.is_empty() { "_".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn library(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn films_are_read_with_their_sidecars_places() {
        let folder = library(&[
            (
                "a/Heat (1995)/movie.nfo",
                "<movie><title>Heat!</title><plot>Two men.</plot>\
              <director>A</director><director>B</director><genre>Crime</genre></movie>",
            ),
            ("a/Heat (1995)/poster.jpg", ""),
            ("a/Heat (1995)/trailer.mp4", ""),
            ("b/Alien (1979)/Alien (1979).mkv", ""),
            ("b/Alien (1979)/Alien (1979)-trailer.mp4", ""),
            ("c/Show/tvshow.nfo", "<tvshow><title>Show</title></tvshow>"),
            ("d/Broken (2001)/movie.nfo", "<movie><title>x</movie>"),
        ]);
        let root = folder.path();
        let (library, problems) = Library::read(&[root.to_owned()], root).unwrap();
        let [heat, alien, broken] = &library.titles[..] else { panic!("{:?}", library.titles) };
        assert_eq!(
            (heat.id.as_str(), heat.name.as_str(), heat.year),
            ("a/Heat (1995)", "Heat!", Some(1995))
        );
        assert_eq!(
            (heat.plot.as_deref(), heat.fields["director"].as_str()),
            (Some("Two men."), "A|B")
        );
        assert!(heat.poster.is_some() && heat.first_trailer().is_some() && !heat.labelled);
        assert!(
            alien.first_trailer().is_some() && alien.plot.is_none(),
            "the film itself is no trailer"
        );
        assert_eq!(broken.name, "Broken");
        assert_eq!(problems.len(), 1, "{problems:?}");
        let nfos = [
            "a/Heat (1995)/movie.nfo",
            "b/Alien (1979)/Alien (1979).nfo",
            "d/Broken (2001)/movie.nfo",
        ];
        assert_eq!(library.nfos, nfos.map(|nfo| vec![root.join(nfo)]));

        let in_place = library.places(0, root, root, "pbcore.xml").remove(0);
        assert_eq!(in_place.target, Path::new("a/Heat (1995)/movie.pbcore.xml"));
        assert_eq!(in_place.origin, None);
        let beside = library.places(0, root, Path::new("/tmp/other"), "nfo").remove(0);
        assert_eq!(beside.target, Path::new("a/Heat (1995)/movie.nfo"));
        assert_eq!(beside.origin.as_ref(), Some(&library.nfos[0][0]));
    }

    #[test]
    fn every_nfo_of_a_film_is_its_own_and_new_ones_lie_where_they_are_looked_for() {
        let nfo = |name: &str| format!("<movie><title>{name}</title><plot>{name}.</plot></movie>");
        let folder = library(&[
            ("A (1999)/A (1999) - 1080p.mkv", ""),
            ("A (1999)/A (1999) - 1080p.nfo", "<movie><title>broken"),
            ("A (1999)/A (1999) - 4K.mkv", ""),
            ("A (1999)/A (1999) - 4K.nfo", &nfo("Four")),
            ("A (1999)/movie.nfo", &nfo("Movie")),
            ("A (1999)/poster.jpg", ""),
            ("B (2000)/VIDEO_TS/VIDEO_TS.nfo", &nfo("Disc")),
            ("C (2001) [tmdbid-603]/VIDEO_TS/VIDEO_TS.IFO", ""),
            ("D (2002) [imdbid-tt9900001]/bdmv/index.bdmv", ""),
            ("E (2003)/E (2003).mkv", ""),
            ("E (2003)/E (2003) - Uncut.mkv", ""),
        ]);
        let root = folder.path();
        let (library, problems) = Library::read(&[root.to_owned()], root).unwrap();
        let names: Vec<&str> = library.titles.iter().map(|title| title.name.as_str()).collect();
        assert_eq!(names, ["Four", "Disc", "C", "D", "E"]);
        assert_eq!(library.titles[0].id.as_str(), "A (1999)");
        assert!(library.titles[0].poster.is_some() && library.titles[1].plot.is_some());
        assert_eq!(problems.len(), 1, "{problems:?}");
        let nfos: Vec<Vec<String>> = (0..names.len())
            .map(|idx| {
                let places = library.places(idx, root, root, "nfo");
                places.iter().map(|place| place.target.display().to_string()).collect()
            })
            .collect();
        let expected = [
            &["A (1999)/A (1999) - 1080p.nfo", "A (1999)/A (1999) - 4K.nfo", "A (1999)/movie.nfo"]
                [..],
            &["B (2000)/VIDEO_TS/VIDEO_TS.nfo"],
            &["C (2001) [tmdbid-603]/VIDEO_TS/VIDEO_TS.nfo"],
            &["D (2002) [imdbid-tt9900001]/D (2002) [imdbid-tt9900001].nfo"],
            &["E (2003)/movie.nfo"],
        ];
        assert_eq!(nfos, expected);
        assert_eq!(library.places(0, root, root, "mmif.json").len(), 1);
        let ids = |idx: usize| &library.ids[idx];
        assert_eq!(
            (ids(2).tmdb.as_deref(), ids(3).imdb.as_deref()),
            (Some("603"), Some("tt9900001"))
        );
    }

    #[test]
    fn videos_alone_are_no_library() {
        let titles = |files: &[&str]| {
            let files: Vec<_> = files.iter().map(|&file| (file, "")).collect();
            let folder = library(&files);
            Library::read(&[folder.path().to_owned()], folder.path()).unwrap().0.titles
        };
        assert!(titles(&["one.mp4", "two.mp4"]).is_empty());
        assert!(titles(&["one.mp4", "two_trailer.mp4"]).is_empty(), "both may be trailers");
        assert!(titles(&["trailers/one.mp4", "trailers/two.mp4"]).is_empty());
        assert_eq!(titles(&["one.mp4", "one.trailer.mp4", "two.mp4"]).len(), 2);
        assert_eq!(titles(&["one/film.mp4", "two (2001)/trailer.mp4"]).len(), 2);
        let several =
            titles(&["A (2001)/A (2001).mkv", "A (2001)/Trailers/1.mp4", "A (2001)/trailer.mp4"]);
        assert_eq!(several[0].trailers.len(), 2);
    }

    #[test]
    fn titles_of_a_catalog_have_sidecars_that_file_systems_take() {
        let titles = ["tt1", "a/b:c", "..", "Ä?"].map(crate::testing::title_of).to_vec();
        let library = Library::of_titles(titles, Path::new("films"));
        let names = ["tt1.nfo", "a_b_c.nfo", "_.nfo", "Ä_.nfo"];
        assert_eq!(library.nfos, names.map(|name| vec![Path::new("films").join(name)]));
    }
}
