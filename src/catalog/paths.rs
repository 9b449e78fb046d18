//! A catalog of media files, for tagging what no catalog file names.
//!
//! in: files and folders; out: one title per trailer, named by its file, and one per picture
//! that belongs to no trailer. Folders are walked in the order of their names, linked ones, too
//! ([`folders`]); hidden files are passed over.
//!
//! A trailer's poster is the picture of the same name beside it or in a folder `posters`
//! there or next door; its plot likewise the `.txt` file, in `plots`. `Heat (1995).mp4` is
//! the title Heat of the year 1995. `Heat (1995)-trailer.mp4` and `Heat (1995)-trailer2.mp4`
//! beside each other are that one title's trailers; a `Heat (1995).mp4` beside them is the film
//! and not looked at.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use base::{TitleId, file};

use super::{
    Catalog, CatalogError, Format, Problem, ProblemKind, Severity, Title, Vocabulary, folders,
    ids::imdb_id_in,
    library::name_and_year,
    media_kind::{IMAGE, VIDEO, has_extension},
    trailer_names,
};

const TEXT: [&str; 1] = ["txt"];

/// What belongs together among loose files: a film by its trailers, a picture or a text.
pub(super) struct LooseFilm {
    /// What it is called by: its files' name, or their path where another one has that name.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) year: Option<i32>,
    pub(super) plot: Option<String>,
    pub(super) poster: Option<PathBuf>,
    pub(super) trailers: Vec<PathBuf>,
}

impl LooseFilm {
    fn new(stem: &str) -> Self {
        let (name, year) = name_and_year(stem);
        let (plot, poster, trailers) = (None, None, Vec::new());
        Self { id: stem.to_owned(), name, year, plot, poster, trailers }
    }

    /// The id on IMDb in its name.
    pub(super) fn imdb_id(&self) -> Option<String> {
        imdb_id_in(&self.id)
    }

    fn into_title(self) -> Title {
        let imdb_id = self.imdb_id().map(|id| ("imdb_id".to_owned(), id));
        Title {
            name: self.name,
            year: self.year,
            plot: self.plot,
            poster: self.poster,
            trailers: self.trailers,
            fields: imdb_id.into_iter().collect(),
            ..Title::new(TitleId::new(&self.id))
        }
    }
}

/// A title per media file.
///
/// A file that is named itself is a trailer whatever its ending, unless it is a picture or a
/// text; in folders only known endings count.
///
/// # Errors
/// A path that is not there, a catalog file among them, or no media file at all.
pub fn from_paths(paths: &[PathBuf]) -> Result<(Catalog, Vec<Problem>), CatalogError> {
    let (films, problems) = find(paths)?;
    let titles = films.into_iter().map(LooseFilm::into_title).collect();
    Ok((Catalog { titles, vocabulary: Vocabulary::default() }, problems))
}

/// The films, with what stands beside their trailers.
///
/// # Errors
/// As [`from_paths`].
pub(super) fn find(paths: &[PathBuf]) -> Result<(Vec<LooseFilm>, Vec<Problem>), CatalogError> {
    let mut finder = Finder::default();
    for path in paths {
        let unreadable =
            |source: io::Error| CatalogError::File { path: path.clone(), action: "read", source };
        if fs::metadata(path).map_err(unreadable)?.is_dir() {
            finder.walk(path).map_err(unreadable)?;
            continue;
        }
        if Format::of_path(path).is_some() {
            return Err(CatalogError::Format {
                path: path.clone(),
                message: "this is a catalog, not a media file".to_owned(),
                hint: "give a catalog alone, not together with media files".to_owned(),
            });
        }
        let kind = Kind::of_path(path).unwrap_or(Kind::Video);
        finder.add(path.clone(), kind);
    }
    if finder.found.iter().all(|(_, kind)| *kind == Kind::TextInFolder) {
        let path = paths.first().cloned().unwrap_or_default();
        return Err(CatalogError::NoTitles {
            path,
            reason: ": no trailer and no picture is there".to_owned(),
            hint: format!("trailers end in .{}", VIDEO.join(", .")),
        });
    }
    Ok(finder.films())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Video,
    Image,
    Text,
    /// Of use only as a trailer's plot.
    TextInFolder,
}

impl Kind {
    fn of_path(path: &Path) -> Option<Self> {
        let is = |list: &[&str]| has_extension(path, list);
        if is(&VIDEO) {
            Some(Self::Video)
        } else if is(&IMAGE) {
            Some(Self::Image)
        } else if is(&TEXT) {
            Some(Self::Text)
        } else {
            None
        }
    }
}

#[derive(Default)]
struct Finder {
    found: Vec<(PathBuf, Kind)>,
    known: HashSet<PathBuf>,
    problems: Vec<Problem>,
}

impl Finder {
    /// Adds a file once, under whatever name it comes first.
    fn add(&mut self, path: PathBuf, kind: Kind) {
        if self.known.insert(real(&path)) {
            self.found.push((path, kind));
        }
    }

    fn walk(&mut self, folder: &Path) -> io::Result<()> {
        let mut files = Vec::new();
        let unreadable = folders::walk(folder, |listing| {
            files.extend_from_slice(&listing.files);
            listing.folders.clone()
        })?;
        let first = self.found.len();
        for path in files {
            if let Some(kind) = Kind::of_path(&path) {
                self.add(path, if kind == Kind::Text { Kind::TextInFolder } else { kind });
            }
        }
        self.found[first..].sort_by(|a, b| a.0.cmp(&b.0));
        self.problems.extend(folders::problems(unreadable));
        Ok(())
    }

    fn films(mut self) -> (Vec<LooseFilm>, Vec<Problem>) {
        let mut titles = Vec::new();
        let mut taken = HashSet::new();
        for Film { path, stem, trailers } in films(&self.found, &mut self.problems) {
            let poster = trailers.iter().find_map(|path| companion(path, &stem, &IMAGE, "posters"));
            let text = trailers.iter().find_map(|path| companion(path, &stem, &TEXT, "plots"));
            taken.extend(poster.iter().chain(&text).map(|path| real(path)));
            let plot = text.and_then(|path| read_plot(&path, &mut self.problems));
            titles.push((path, LooseFilm { plot, poster, trailers, ..LooseFilm::new(&stem) }));
        }
        for (path, kind) in &self.found {
            if taken.contains(&real(path)) {
                continue;
            }
            match kind {
                Kind::Image => {
                    let poster = Some(path.clone());
                    titles.push((path, LooseFilm { poster, ..LooseFilm::new(&stem_of(path)) }));
                }
                Kind::Text => {
                    let plot = read_plot(path, &mut self.problems);
                    titles.push((path, LooseFilm { plot, ..LooseFilm::new(&stem_of(path)) }));
                }
                Kind::Video | Kind::TextInFolder => {}
            }
        }
        let place: HashMap<&PathBuf, usize> =
            self.found.iter().enumerate().map(|(place, (path, _))| (path, place)).collect();
        titles.sort_by_key(|(path, _)| place[path]);
        (with_own_ids(titles), self.problems)
    }
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Two files of one name in different folders are told apart by their paths.
fn with_own_ids(films: Vec<(&PathBuf, LooseFilm)>) -> Vec<LooseFilm> {
    let mut num_of: HashMap<String, usize> = HashMap::new();
    for (_, film) in &films {
        *num_of.entry(film.id.clone()).or_default() += 1;
    }
    films
        .into_iter()
        .map(|(path, film)| match num_of[&film.id] {
            1 => film,
            _ => LooseFilm { id: path.to_string_lossy().into_owned(), ..film },
        })
        .collect()
}

/// A film by its trailers.
struct Film<'a> {
    /// The file that came first.
    path: &'a PathBuf,
    /// What it is called by.
    stem: String,
    trailers: Vec<PathBuf>,
}

/// One film a video, but for those that are trailers of one film by their names.
fn films<'a>(found: &'a [(PathBuf, Kind)], problems: &mut Vec<Problem>) -> Vec<Film<'a>> {
    let videos = || found.iter().filter(|(_, kind)| *kind == Kind::Video).map(|(path, _)| path);
    let mut films: Vec<Film> = Vec::new();
    let mut place_of: HashMap<(&Path, String), usize> = HashMap::new();
    for path in videos() {
        let stem = stem_of(path);
        let named = trailer_names::named(&stem).filter(|named| named.is_sure);
        let Some(film) = named.map(|named| named.film).filter(|film| !film.is_empty()) else {
            continue;
        };
        let key = (path.parent().unwrap_or(Path::new("")), film.to_lowercase());
        let place = *place_of.entry(key).or_insert(films.len());
        if place == films.len() {
            films.push(Film { path, stem: film.to_owned(), trailers: Vec::new() });
        }
        films[place].trailers.push(path.clone());
    }
    let is_taken: HashSet<PathBuf> = films.iter().flat_map(|film| film.trailers.clone()).collect();
    for path in videos().filter(|path| !is_taken.contains(*path)) {
        let stem = stem_of(path);
        let key = (path.parent().unwrap_or(Path::new("")), stem.to_lowercase());
        match place_of.get(&key) {
            Some(&place) => problems.push(passed_over(path, &films[place].trailers[0])),
            None => films.push(Film { path, stem, trailers: vec![path.clone()] }),
        }
    }
    for film in &mut films {
        film.trailers.sort_by_cached_key(|path| trailer_names::order(path));
    }
    films
}

fn passed_over(film: &Path, trailer: &Path) -> Problem {
    Problem {
        severity: Severity::Note,
        kind: ProblemKind::LeftOut,
        file: film.to_owned(),
        line: None,
        column: None,
        field: None,
        value: None,
        message: format!(
            "this is the film whose trailer is {}; only trailers are looked at",
            trailer.display()
        ),
        hint: "give the file another name if it is a trailer, too".to_owned(),
    }
}

fn stem_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The file of the trailer's stem, else of the film's, with one of the endings, beside the
/// trailer or in `folder_name` there or next door.
fn companion(
    trailer: &Path,
    film: &str,
    extensions: &[&str],
    folder_name: &str,
) -> Option<PathBuf> {
    let beside = trailer.parent()?;
    let next_door = beside.parent().map(|above| above.join(folder_name));
    let folders = [Some(beside.to_owned()), Some(beside.join(folder_name)), next_door];
    let named = |stem: &OsStr, folder: &Path| {
        let name = |extension: &str| {
            let mut name = stem.to_owned();
            name.push(".");
            name.push(extension);
            folder.join(name)
        };
        let names = extensions.iter().flat_map(|e| [name(e), name(&e.to_ascii_uppercase())]);
        names.collect::<Vec<_>>()
    };
    [trailer.file_stem()?, OsStr::new(film)]
        .into_iter()
        .flat_map(|stem| folders.iter().flatten().flat_map(move |folder| named(stem, folder)))
        .find(|candidate| candidate.is_file() && real(candidate) != real(trailer))
}

fn read_plot(path: &Path, problems: &mut Vec<Problem>) -> Option<String> {
    let mut report = |kind, message: String, hint: &str| {
        problems.push(Problem::warning(kind, (path, 0), message, hint));
    };
    let bytes = match file::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("the text cannot be read ({error})");
            report(ProblemKind::MissingFile, message, "give yourself the right to read it");
            return None;
        }
    };
    if std::str::from_utf8(&bytes).is_err() {
        let message = "the text is not UTF-8; other bytes are read as U+FFFD".to_owned();
        report(ProblemKind::NotUtf8, message, "save the text as UTF-8");
    }
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}').trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "some text").unwrap();
        }
        folder
    }

    fn ids(catalog: &Catalog) -> Vec<&str> {
        catalog.titles.iter().map(|title| title.id.as_str()).collect()
    }

    #[test]
    fn a_folder_gives_its_trailers_with_what_stands_beside_them() {
        let folder = library(&[
            "b/Heat (1995).mkv",
            "b/Heat (1995).JPG",
            "b/Heat (1995).txt",
            "trailers/sintel.mp4",
            "posters/sintel.png",
            "alone.png",
            "readme.txt",
            ".hidden.mp4",
            "notes.pdf",
        ]);
        let (catalog, problems) = from_paths(&[folder.path().to_owned()]).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(ids(&catalog), ["alone", "Heat (1995)", "sintel"]);
        let [alone, heat, sintel] = &catalog.titles[..] else { panic!() };
        assert!(alone.trailers.is_empty() && alone.poster.is_some() && alone.plot.is_none());
        assert_eq!((heat.name.as_str(), heat.year), ("Heat", Some(1995)));
        assert!(heat.poster.is_some() && heat.trailers.len() == 1);
        assert_eq!(heat.plot.as_deref(), Some("some text"));
        assert!(sintel.poster.as_ref().unwrap().ends_with("posters/sintel.png"));
    }

    #[test]
    fn equal_names_are_told_apart_and_no_file_comes_twice() {
        let folder = library(&["a/trailer.mp4", "b/trailer.mp4", "b/other.mp4"]);
        let paths = [folder.path().to_owned(), folder.path().join("b/other.mp4")];
        let (catalog, _) = from_paths(&paths).unwrap();
        let ids = ids(&catalog);
        assert_eq!(ids.len(), 3);
        assert!(ids[0].ends_with("a/trailer.mp4") && ids[2].ends_with("b/trailer.mp4"), "{ids:?}");
        assert_eq!(ids[1], "other");
    }

    #[test]
    fn linked_folders_are_followed_and_their_files_come_once() {
        use std::os::unix::fs::symlink;
        let (folder, other) = (library(&["b/one.mp4"]), library(&["two.mp4"]));
        symlink(folder.path().join("b"), folder.path().join("a")).unwrap();
        symlink(other.path(), folder.path().join("c")).unwrap();
        symlink(folder.path(), folder.path().join("b/round")).unwrap();
        symlink("nowhere", folder.path().join("gone")).unwrap();
        let (catalog, problems) = from_paths(&[folder.path().to_owned()]).unwrap();
        assert_eq!(ids(&catalog), ["one", "two"]);
        assert!(catalog.titles[0].trailers[0].ends_with("b/one.mp4"));
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert!(problem.file.ends_with("gone"));
    }

    #[test]
    fn a_named_file_is_taken_whatever_its_ending() {
        let folder = library(&["clip.bin", "plot.txt", "face.webp", "movies.csv", "empty/x.pdf"]);
        let path = |name: &str| folder.path().join(name);
        let (catalog, _) =
            from_paths(&[path("clip.bin"), path("plot.txt"), path("face.webp")]).unwrap();
        let [clip, plot, face] = &catalog.titles[..] else { panic!() };
        assert!(!clip.trailers.is_empty());
        assert!(plot.plot.is_some() && plot.trailers.is_empty());
        assert!(face.poster.is_some() && face.trailers.is_empty());
        assert!(from_paths(&[path("movies.csv")]).unwrap_err().to_string().contains("catalog"));
        assert!(from_paths(&[path("none.mp4")]).is_err());
        assert!(from_paths(&[path("empty")]).is_err());
        assert!(from_paths(&[]).is_err());
    }

    #[test]
    fn trailers_of_one_name_are_one_title() {
        let folder = library(&[
            "Heat (1995).mkv",
            "Heat (1995)-trailer2.mp4",
            "heat (1995).Trailer.mp4",
            "Heat (1995).jpg",
            "Sintel_trailer.mp4",
            "Sintel_trailer.txt",
            "The Trailer.mp4",
            "trailer1.mp4",
            "trailer2.mp4",
        ]);
        let (catalog, problems) = from_paths(&[folder.path().to_owned()]).unwrap();
        let expected = ["Heat (1995)", "Sintel", "The Trailer", "trailer1", "trailer2"];
        assert_eq!(ids(&catalog), expected);
        let heat = &catalog.titles[0];
        let names = ["Heat (1995)-trailer2.mp4", "heat (1995).Trailer.mp4"];
        assert_eq!(heat.trailers, names.map(|name| folder.path().join(name)));
        assert_eq!((heat.name.as_str(), heat.year), ("Heat", Some(1995)));
        assert!(heat.poster.is_some() && heat.plot.is_none());
        assert_eq!(catalog.titles[1].plot.as_deref(), Some("some text"));
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert!(problem.severity == Severity::Note && problem.file.ends_with("Heat (1995).mkv"));
    }
}
