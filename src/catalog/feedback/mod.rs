//! People's answers about a catalog's titles, as files bring them and take them elsewhere.
//!
//! in: a catalog or library that is opened ([`Target`]), and a file of answers; out: what of them the log
//! does not say yet ([`Plan`]), with every problem by line, or a file of all that the log says
//! ([`export`]). The log itself is `curation::reviews`.

mod answers;
mod export;
mod rows;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use base::nearest::nearest;
use curation::{
    CurationError, FOLDER,
    reviews::{Answer, Decided, Session, Source, Words},
};
use jiff::Timestamp;

use self::answers::{Given, Reader};
pub use self::export::{Form, export};
use super::{
    CatalogError, FilmIds, Hints, Opened, Problem, ProblemKind, Severity, Title, decided,
    decided::Place, open,
};

/// A catalog or a library, and what is known of its titles.
#[derive(Debug)]
pub struct Target {
    opened: Opened,
    /// The folder whose log speaks of it.
    root: PathBuf,
    place: Place,
}

impl Target {
    /// Opens a catalog's file, a folder with one in it, or a library.
    ///
    /// # Errors
    /// It is not there, or none of these; its titles have no ids.
    pub fn open(path: &Path, id_column: Option<&str>) -> Result<Self, CatalogError> {
        let hints = Hints { id_column, real_paths: true, marker: Some(FOLDER), ..Hints::default() };
        let opened = open(&[path.to_owned()], &hints)?;
        let refuse = |message: &str, hint: &str| {
            let message = format!("{}: {message}", path.display());
            Err(CatalogError::Paths { message, hint: hint.to_owned() })
        };
        let is_numbered =
            |problem: &Problem| problem.kind == ProblemKind::EmptyId && problem.line.is_none();
        if opened.problems.iter().any(is_numbered) {
            let message = "its titles have no ids, by which answers would be found again";
            return refuse(message, "name the column that holds them with --id-column");
        }
        let (root, place) = match (opened.seen, &opened.file) {
            (_, Some(file)) => {
                let folder = file.parent().unwrap_or(Path::new("")).to_owned();
                (folder.clone(), Place::Beside(folder))
            }
            (super::Seen::Library, None) => {
                (opened.root.clone(), Place::Library(opened.root.clone()))
            }
            _ => return refuse("it is no catalog and no media library", "name one of these"),
        };
        Ok(Self { opened, root, place })
    }

    /// What was wrong with the titles on the way.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.opened.told()
    }
}

/// What a file of answers adds to the log.
#[derive(Debug)]
pub struct Plan {
    root: PathBuf,
    /// In the order of their time.
    words: Vec<Words>,
    /// Answers that the log has in the same words.
    pub num_known: usize,
    /// Answers about which the log has a later word.
    pub num_overruled: usize,
    /// What is wrong with rows; those of [`Severity::Error`] are left out.
    pub problems: Vec<Problem>,
}

impl Plan {
    /// Answers that the log does not have yet; a title that is complete counts as one.
    #[must_use]
    pub fn num_answers(&self) -> usize {
        let count = |words: &Words| words.answers.len() + usize::from(words.complete);
        self.words.iter().map(count).sum()
    }

    /// Titles that these speak of.
    #[must_use]
    pub fn num_titles(&self) -> usize {
        let mut titles: Vec<&str> = self.words.iter().map(|words| words.title.as_str()).collect();
        titles.sort_unstable();
        titles.dedup();
        titles.len()
    }

    /// Rows that could not be used.
    #[must_use]
    pub fn rows_left_out(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// Appends them to the log, and returns when the disk has them.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(self) -> Result<(), CurationError> {
        Session::new(&self.root).append_all(self.words).map(|_| ())
    }
}

/// Reads a file of answers (CSV, TSV, JSON Lines), and compares it with what the log says. `who` gave
/// those that name nobody, at the moment `now`. Nothing is written.
///
/// # Errors
/// The file cannot be read, or has no column of titles or of answers.
pub fn plan(target: &Target, file: &Path, who: &str, now: Timestamp) -> Result<Plan, CatalogError> {
    let titles = &target.opened.catalog.titles;
    let found = decided::find(&target.place, titles);
    let rows = rows::read(file)?;
    let mut problems = rows.problems;
    let reader = Reader { file, who, now };
    let index = Index::new(titles);
    // The last word about a title and a genre; of none: that the title is complete.
    let mut last: BTreeMap<(usize, Option<String>), Given> = BTreeMap::new();
    for row in rows.rows {
        let idx = match index.find(&row) {
            Ok(idx) => idx,
            Err((name, near)) => {
                problems.push(reader.unknown_title(&row, &name, near));
                continue;
            }
        };
        for given in reader.answers(&row, &mut problems) {
            let key = (idx, given.genre.as_ref().map(|genre| genre.to_lowercase()));
            if last.get(&key).is_none_or(|before| before.at <= given.at) {
                last.insert(key, given);
            }
        }
    }
    let vocabulary = target.opened.catalog.vocabulary.names();
    problems.extend(last.values().filter_map(|given| reader.near_miss(given, vocabulary)));
    let (mut num_known, mut num_overruled) = (0, 0);
    let mut words: BTreeMap<(Timestamp, usize, String), Words> = BTreeMap::new();
    for ((idx, _), given) in last {
        match compare(found.decided[idx].as_ref(), &given) {
            Known::Same => num_known += 1,
            Known::Later => num_overruled += 1,
            Known::Not => {
                let key = (given.at, idx, given.who.clone());
                let words = words.entry(key).or_insert_with(|| words_of(&titles[idx], &given));
                match (given.genre, given.answer) {
                    (Some(genre), Some(answer)) => drop(words.answers.insert(genre, answer)),
                    _ => words.complete = true,
                }
            }
        }
    }
    let (words, root) = (words.into_values().collect(), target.root.clone());
    problems.sort_by_key(|problem| problem.line);
    Ok(Plan { root, words, num_known, num_overruled, problems })
}

/// An event about a title, without answers yet.
fn words_of(title: &Title, given: &Given) -> Words {
    let ids = FilmIds::of_title(title);
    let ids = [("imdb", ids.imdb), ("tmdb", ids.tmdb)];
    let ids = ids.into_iter().filter_map(|(site, id)| Some((site.to_owned(), id?))).collect();
    let words = Words::new(given.at, Source::Import, title.id.as_str());
    Words { who: given.who.clone(), ids, ..words }
}

/// What the log says of an answer.
enum Known {
    /// The same.
    Same,
    /// Something else, later.
    Later,
    /// Nothing, or something else that it overrules.
    Not,
}

fn compare(decided: Option<&Decided>, given: &Given) -> Known {
    let Some(genre) = &given.genre else {
        return if decided.is_some_and(|said| said.complete) { Known::Same } else { Known::Not };
    };
    match decided.and_then(|said| said.get(genre)) {
        Some(said) if Some(said.answer) == given.answer => Known::Same,
        Some(said) if said.at > given.at => Known::Later,
        _ => Known::Not,
    }
}

/// Titles by what a file may call them.
struct Index<'a> {
    titles: &'a [Title],
    by_id: HashMap<&'a str, usize>,
    /// By site and id there.
    by_site: HashMap<(&'static str, String), usize>,
    /// By name; `None` where several have it.
    by_name: HashMap<&'a str, Option<usize>>,
}

impl<'a> Index<'a> {
    fn new(titles: &'a [Title]) -> Self {
        let mut index = Self {
            titles,
            by_id: HashMap::new(),
            by_site: HashMap::new(),
            by_name: HashMap::new(),
        };
        for (idx, title) in titles.iter().enumerate() {
            let ids = FilmIds::of_title(title);
            index.by_id.insert(title.id.as_str(), idx);
            index.by_site.extend(ids.imdb.map(|id| (("imdb_id", id), idx)));
            index.by_site.extend(ids.tmdb.map(|id| (("tmdb_id", id), idx)));
            let named = index.by_name.entry(&title.name);
            named.and_modify(|one| *one = None).or_insert(Some(idx));
        }
        index
    }

    /// The title of a row: by its id, by ids on other sites, else by a name that only one has. What it is
    /// called and the nearest that is there, where none is found.
    fn find(&self, row: &super::Row) -> Result<usize, (String, Option<&'a str>)> {
        let text = |column: &str| row.get(column).map(|cell| cell.clone().into_text());
        let name = text("id").or_else(|| text("title")).unwrap_or_default();
        let of_site = |site: &'static str| self.by_site.get(&(site, text(site)?)).copied();
        let of_name = || text("title").and_then(|name| *self.by_name.get(name.as_str())?);
        let found = self.by_id.get(name.as_str()).copied();
        let found = found.or_else(|| of_site("imdb_id")).or_else(|| of_site("tmdb_id"));
        found.or_else(of_name).ok_or_else(|| {
            let ids = self.titles.iter().map(|title| title.id.as_str());
            let names = self.titles.iter().map(|title| title.name.as_str());
            let near = nearest(&name, ids.chain(names));
            (name, near)
        })
    }
}
