//! What people decided about a catalog's titles, as their log has it (`curation::reviews`).
//!
//! in: titles' ids; out: for each what was decided, and word of what cannot be read or found. The log of
//! a table lies beside its file; those of a library's title in its folder or any above it, which
//! count as one. A title that is not there under its name is found by its ids on other sites.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
};

use curation::reviews::{self, Decided, Decisions, Log};

use super::{CatalogSpec, FilmIds, Format, Problem, ProblemKind, Severity, Title};

/// Where the log of a catalog's titles lies.
#[derive(Debug)]
pub(crate) enum Place {
    /// At or above each title's folder, from this one on.
    Library(PathBuf),
    /// In this folder alone.
    Beside(PathBuf),
}

impl Place {
    /// Where it may lie; `None` where it is known that there is none.
    pub(crate) fn of(spec: &CatalogSpec) -> Option<Self> {
        let folder = spec.folder();
        if spec.format == Format::Source("library") {
            // It may lie above the folder that the command was given.
            return Some(Self::Library(absolute(folder)));
        }
        reviews::is_there(folder).then(|| Self::Beside(folder.to_owned()))
    }

    /// A title's name among all that was decided.
    fn name(&self, id: &str) -> String {
        match self {
            Self::Library(root) => root.join(id).to_string_lossy().into_owned(),
            Self::Beside(_) => id.to_owned(),
        }
    }

    /// Whether a title of this name would be among those that were opened, if it were there.
    fn is_within(&self, name: &str) -> bool {
        match self {
            Self::Library(root) => Path::new(name).starts_with(root),
            Self::Beside(_) => true,
        }
    }
}

/// What was decided about titles.
pub(crate) struct Found {
    /// `[titles]`.
    pub(crate) decided: Vec<Option<Decided>>,
    /// What could not be read or found.
    pub(crate) problems: Vec<Problem>,
}

/// The folder at or above this one that has a log.
pub(crate) fn above(folder: &Path) -> Option<PathBuf> {
    absolute(folder).ancestors().find(|folder| reviews::is_there(folder)).map(Path::to_owned)
}

fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

/// Finds what was decided about titles.
pub(crate) fn find(place: &Place, titles: &[Title]) -> Found {
    let (log, mut problems) = read(place, titles);
    let names: Vec<String> = titles.iter().map(|title| place.name(title.id.as_str())).collect();
    let mut decided: Vec<Option<&Decided>> = names.iter().map(|name| log.get(name)).collect();
    let here: HashSet<&str> = names.iter().map(String::as_str).collect();
    let elsewhere: Vec<(&str, &Decided)> =
        log.iter().filter(|(name, _)| !here.contains(name)).collect();
    let mut by_ids: HashMap<(&str, &str), usize> = HashMap::new();
    for (idx, (_, said)) in elsewhere.iter().enumerate() {
        by_ids.extend(said.ids.iter().map(|(site, id)| ((site.as_str(), id.as_str()), idx)));
    }
    let mut is_found = vec![false; elsewhere.len()];
    for (title, decided) in titles.iter().zip(&mut decided).filter(|(_, said)| said.is_none()) {
        if let Some(idx) = by_site(title, &by_ids) {
            is_found[idx] = true;
            *decided = Some(elsewhere[idx].1);
        }
    }
    let lost = elsewhere.iter().zip(&is_found).filter(|(_, is_found)| !**is_found);
    let lost = lost.filter(|((name, _), _)| place.is_within(name)).count();
    problems.extend(lost_titles(place, lost));
    let decided = decided.into_iter().map(Option::<&Decided>::cloned).collect();
    Found { decided, problems }
}

/// What was decided about a film that a site knows by the same id, of all that is known by ids.
fn by_site(title: &Title, by_ids: &HashMap<(&str, &str), usize>) -> Option<usize> {
    if by_ids.is_empty() {
        return None;
    }
    let ids = FilmIds::of_title(title);
    let of = |site, id: &Option<String>| by_ids.get(&(site, id.as_deref()?)).copied();
    of("imdb", &ids.imdb).or_else(|| of("tmdb", &ids.tmdb))
}

fn lost_titles(place: &Place, num_titles: usize) -> Option<Problem> {
    if num_titles == 0 {
        return None;
    }
    let (Place::Library(folder) | Place::Beside(folder)) = place;
    let problem = Problem::warning(
        ProblemKind::LeftOut,
        (folder, 0),
        format!("people decided about {num_titles} titles that are not here"),
        "they count again as soon as the titles are there under their names or ids",
    );
    Some(Problem { severity: Severity::Note, ..problem })
}

/// All that was decided where titles lie, and what of it cannot be read.
pub(crate) fn read(place: &Place, titles: &[Title]) -> (Decisions, Vec<Problem>) {
    let (mut all, mut problems) = (Log::default(), Vec::new());
    let (Place::Library(root) | Place::Beside(root)) = place;
    if let Place::Beside(_) = place {
        return (read_one(root, &mut problems).decisions(), problems);
    }
    let mut folders: BTreeSet<&Path> = root.ancestors().collect();
    let paths: Vec<PathBuf> = titles.iter().map(|title| root.join(title.id.as_str())).collect();
    for path in &paths {
        // What lies above a folder that is known is known, too.
        let above = path.ancestors().skip(1);
        folders.extend(above.take_while(|folder| !folders.contains(folder)).collect::<Vec<_>>());
    }
    for folder in folders.into_iter().filter(|folder| reviews::is_there(folder)) {
        all.join(read_one(folder, &mut problems).beneath(folder));
    }
    (all.decisions(), problems)
}

/// The log in a folder.
fn read_one(folder: &Path, problems: &mut Vec<Problem>) -> Log {
    let bad = |file: &Path, line, message| {
        let hint = "move the file away, or all of `.cinetag/reviews`: what stands before counts, \
                    what stands after does not";
        Problem::warning(ProblemKind::BadLog, (file, line), message, hint)
    };
    let log = reviews::read(folder).unwrap_or_else(|error| {
        let message = format!("what people decided cannot be read ({})", error.source);
        problems.push(bad(&error.path, 0, message));
        Log::default()
    });
    for broken in &log.breaks {
        let message = format!("from here on the log is not what was written: {}", broken.why);
        problems.push(bad(&broken.file, broken.line, message));
    }
    log
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use base::GenreId;
    use curation::reviews::{Answer, Session, Source, Words};

    use crate::{Catalog, CatalogSpec, Format, GenreSpec, Problem, ProblemKind, digest, load};

    fn say(root: &Path, title: &str, answers: &[(&str, Answer)], complete: bool) {
        let answers = answers.iter().map(|&(genre, answer)| (genre.to_owned(), answer)).collect();
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        let words = Words::new(at, Source::Page, title);
        let ids = [("imdb".to_owned(), format!("tt000000{}", title.len()))].into();
        Session::new(root).append(Words { answers, complete, ids, ..words }).unwrap();
    }

    fn loaded(path: &Path, format: Format) -> (Catalog, Vec<Problem>) {
        let genres = GenreSpec { min_support: 0, ..GenreSpec::default() };
        load(&CatalogSpec { format, genres, ..CatalogSpec::new(path) }).unwrap()
    }

    /// A title's genres, those that it has not, those that are not known; `-` where it is not labelled.
    fn labels(catalog: &Catalog, id: &str) -> String {
        let title = catalog.titles.iter().find(|title| title.id.as_str() == id).unwrap();
        let names = |genres: &[GenreId]| {
            let names = genres.iter().map(|&genre| catalog.vocabulary.name(genre));
            names.collect::<Vec<_>>().join(",")
        };
        let [has, not, open] =
            [&title.genres, &title.not_genres, &title.unknown_genres].map(|g| names(g));
        format!("{has};{not};{open}{}", if title.labelled { "" } else { " -" })
    }

    const FILMS: &str =
        "id,genres,imdb_id\na,War|Drama,\nb,,\nc,Drama,\nd,Crime,\nnew,,tt0000007\n";

    #[test]
    fn what_people_decided_about_a_tables_titles_holds_over_its_cells() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("films.csv");
        fs::write(&path, FILMS).unwrap();
        let before = (digest(&path).unwrap(), loaded(&path, Format::Auto).0.labels());
        say(folder.path(), "a", &[("war", Answer::No), ("Crime", Answer::Added)], false);
        say(folder.path(), "b", &[("Crime", Answer::Yes), ("War", Answer::No)], false);
        say(folder.path(), "c", &[("Western", Answer::Yes)], true);
        say(folder.path(), "d", &[("Crime", Answer::Unsure)], false);
        say(folder.path(), "renamed", &[("Western", Answer::Yes)], true);
        say(folder.path(), "nobody here", &[("War", Answer::No)], false);
        let (catalog, problems) = loaded(&path, Format::Auto);
        assert_eq!(catalog.vocabulary.names(), ["Crime", "Drama", "Western"]);
        assert_eq!(labels(&catalog, "a"), "Crime,Drama;;");
        assert_eq!(labels(&catalog, "b"), "Crime;;Drama,Western", "of the others nothing is known");
        assert_eq!(labels(&catalog, "c"), "Western;;", "complete: no Drama");
        assert_eq!(labels(&catalog, "d"), ";;Crime -");
        assert_eq!(labels(&catalog, "new"), "Western;;", "found by its id");
        let [lost] = &problems[..] else { panic!("{problems:?}") };
        assert!(lost.message.contains("about 1 titles that are not here"), "{lost}");
        assert_ne!(digest(&path).unwrap(), before.0, "pipelines see that it is another catalog");
        // What was taken away is as if it never was; rows' numbers are no names.
        fs::remove_dir_all(folder.path().join(curation::FOLDER)).unwrap();
        let after = (digest(&path).unwrap(), loaded(&path, Format::Auto).0.labels());
        assert_eq!(after, before);
        fs::write(&path, "title,genres\nA,War\n").unwrap();
        say(folder.path(), "1", &[("War", Answer::No)], false);
        let (catalog, _) = crate::load_numbered(&CatalogSpec::new(&path)).unwrap();
        assert!(catalog.titles[0].labelled);
    }

    #[test]
    fn a_librarys_log_is_found_in_it_and_above_it_and_one_that_was_changed_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for film in ["x/A", "x/B", "y/C"] {
            fs::create_dir_all(root.join(film)).unwrap();
            let nfo = "<movie><genre>Drama</genre><genre>War</genre></movie>";
            fs::write(root.join(film).join("movie.nfo"), nfo).unwrap();
        }
        let library = Format::Source("library");
        let before = digest(&root.join("x")).unwrap();
        say(root, "x/A", &[("War", Answer::No)], false);
        say(root, "y/C", &[("Drama", Answer::No)], false);
        let (whole, problems) = loaded(root, library);
        assert_eq!((labels(&whole, "x/A"), problems.len()), ("Drama;War;".to_owned(), 0));
        assert_eq!(labels(&whole, "y/C"), "War;Drama;");
        let (part, problems) = loaded(&root.join("x"), library);
        assert_eq!((labels(&part, "A"), problems.len()), ("Drama;War;".to_owned(), 0));
        assert_ne!(digest(&root.join("x")).unwrap(), before);
        // A log that lies nearer.
        say(&root.join("x"), "B", &[("War", Answer::No)], false);
        let (whole, _) = loaded(root, library);
        let of = ["x/A", "x/B", "y/C"].map(|id| labels(&whole, id));
        assert_eq!(of, ["Drama;War;", "Drama;War;", "War;Drama;"], "both count");
        // Cut in the middle.
        let reviews = root.join("y/.cinetag/reviews");
        fs::create_dir_all(&reviews).unwrap();
        fs::write(reviews.join("s.jsonl"), "no event\n").unwrap();
        let (whole, problems) = loaded(root, library);
        assert_eq!(labels(&whole, "y/C"), "War;Drama;", "what can be read counts");
        let told = problems.iter().find(|problem| problem.kind == ProblemKind::BadLog).unwrap();
        assert!(
            told.file.ends_with("y/.cinetag/reviews/s.jsonl") && told.line == Some(1),
            "{told}"
        );
    }
}
