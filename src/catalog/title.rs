//! What a title is.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use base::{GenreId, TitleId};
use serde::{Deserialize, Serialize};

/// One film.
#[derive(Clone, Debug)]
pub struct Title {
    /// Unique in the catalog.
    pub id: TitleId,
    /// The name people know it by.
    pub name: String,
    /// Year of release.
    pub year: Option<i32>,
    /// What happens in it.
    pub plot: Option<String>,
    /// The poster's file; it need not exist.
    pub poster: Option<PathBuf>,
    /// The trailers' files, the one that says most first; empty where there is none. They need
    /// not exist.
    pub trailers: Vec<PathBuf>,
    /// What is said in the trailers, where the catalog has it in words.
    pub transcript: Option<String>,
    /// Genres of the vocabulary, ascending; empty where `labelled` is false.
    pub genres: Vec<GenreId>,
    /// Genres that somebody decided it does not have, ascending.
    pub not_genres: Vec<GenreId>,
    /// Genres of which it is not known whether it has them, though others are stated; ascending.
    pub unknown_genres: Vec<GenreId>,
    /// Whether the catalog states genres for it at all: a title without is for tagging,
    /// not for training.
    pub labelled: bool,
    /// Titles of one group (a franchise, the cuts of a film) stay in one fold.
    pub group: Option<String>,
    /// The fold the catalog itself assigns.
    pub fold: Option<u32>,
    /// Metadata columns by name, as written; empty cells are absent. Those that the catalog
    /// declares, or every column without another role where it declares none.
    pub fields: BTreeMap<String, String>,
    /// Line of the catalog file where it stands (1-based); 0 where it comes from none.
    pub line: u64,
}

impl Title {
    /// A title of which nothing is known but its id, which is its name, too.
    #[must_use]
    pub fn new(id: TitleId) -> Self {
        Self {
            name: id.to_string(),
            id,
            year: None,
            plot: None,
            poster: None,
            trailers: Vec::new(),
            transcript: None,
            genres: Vec::new(),
            not_genres: Vec::new(),
            unknown_genres: Vec::new(),
            labelled: false,
            group: None,
            fold: None,
            fields: BTreeMap::new(),
            line: 0,
        }
    }

    /// The name of its group; a title that is alone is a group by its id.
    #[must_use]
    pub fn group_name(&self) -> &str {
        self.group.as_deref().unwrap_or(self.id.as_str())
    }

    /// The trailer that is looked at where only one can be.
    #[must_use]
    pub fn first_trailer(&self) -> Option<&Path> {
        self.trailers.first().map(PathBuf::as_path)
    }
}

/// The closed list of genres, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Vocabulary(Vec<String>);

impl Vocabulary {
    /// A vocabulary of these names, in this order.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// The names in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Number of genres.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds no genre.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its genres in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = GenreId> + use<> {
        (0..u16::try_from(self.len()).unwrap_or(u16::MAX)).map(GenreId)
    }

    /// A genre's name.
    #[must_use]
    pub fn name(&self, genre: GenreId) -> &str {
        &self.0[genre.idx()]
    }

    /// Finds a genre by its name, letter case and surrounding space aside.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<GenreId> {
        let wanted = name.trim().to_lowercase();
        let idx = self.0.iter().position(|known| known.to_lowercase() == wanted)?;
        u16::try_from(idx).ok().map(GenreId)
    }
}

/// Titles in the catalog's order with their vocabulary.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// In the file's order.
    pub titles: Vec<Title>,
    /// The genres that count.
    pub vocabulary: Vocabulary,
}

impl Catalog {
    /// Titles to learn from: those whose genres are stated, and those of which it is at least known
    /// that they do not have some. Ascending.
    #[must_use]
    pub fn to_learn_from(&self) -> Vec<usize> {
        let says = |title: &Title| title.labelled || !title.not_genres.is_empty();
        (0..self.titles.len()).filter(|&idx| says(&self.titles[idx])).collect()
    }

    /// What the [`labels`](Self::labels) weigh, `[titles * genres]`: 1, or 0 where it is not known
    /// whether the title has the genre. Of a title that states its genres all others are known not to
    /// be its, but for those that it says are not.
    #[must_use]
    pub fn label_weights(&self) -> Vec<f32> {
        let genres = 0..self.vocabulary.len();
        let of_title = |title: &Title| -> Vec<f32> {
            let names = |genres: &[GenreId], at: usize| genres.iter().any(|id| id.idx() == at);
            let is_known = |genre: usize| {
                if title.labelled {
                    !names(&title.unknown_genres, genre)
                } else {
                    names(&title.not_genres, genre)
                }
            };
            genres.clone().map(|genre| f32::from(u8::from(is_known(genre)))).collect()
        };
        self.titles.iter().flat_map(of_title).collect()
    }

    /// Whether a genre is not known of a title that is learned from.
    #[must_use]
    pub fn is_partly_known(&self) -> bool {
        let is_partly = |title: &Title| {
            let others = if title.labelled { &title.unknown_genres } else { &title.not_genres };
            !others.is_empty()
        };
        self.titles.iter().any(is_partly)
    }

    /// Labels as a table, `[titles * genres]`, title-major; all false for unlabelled titles.
    #[must_use]
    pub fn labels(&self) -> Vec<bool> {
        let num_genres = self.vocabulary.len();
        let mut labels = vec![false; self.titles.len() * num_genres];
        for (title_idx, title) in self.titles.iter().enumerate() {
            for genre in &title.genres {
                labels[title_idx * num_genres + genre.idx()] = true;
            }
        }
        labels
    }

    /// Which group each title belongs to, `[titles]`, numbered from 0 by first appearance; a
    /// title without a group is one by itself.
    #[must_use]
    pub fn group_idxs(&self) -> Vec<usize> {
        let mut idx_of: HashMap<&str, usize> = HashMap::new();
        let mut num_groups = 0;
        let mut next = || {
            num_groups += 1;
            num_groups - 1
        };
        self.titles
            .iter()
            .map(|title| match title.group.as_deref() {
                Some(group) => *idx_of.entry(group).or_insert_with(&mut next),
                None => next(),
            })
            .collect()
    }
}

/// A title's metadata as typed values, before any fitting: numbers are neither scaled
/// nor filled in, categories are all that the catalog names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// One per number column; `None` where missing.
    pub numbers: Vec<Option<f64>>,
    /// One per category column; empty where missing.
    pub categories: Vec<Vec<String>>,
}

impl Record {
    /// How many columns are stated.
    #[must_use]
    pub fn num_stated(&self) -> usize {
        self.numbers.iter().flatten().count()
            + self.categories.iter().filter(|values| !values.is_empty()).count()
    }
}

/// Names of a [`Record`]'s columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSchema {
    /// Columns of numbers.
    pub numbers: Vec<String>,
    /// Columns of categories (a language, a director, several countries).
    pub categories: Vec<String>,
}
