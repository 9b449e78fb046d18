//! What a title is.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::{GenreId, TitleId};

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
    /// The trailer's file; it need not exist.
    pub trailer: Option<PathBuf>,
    /// Genres of the vocabulary, ascending; empty where `labelled` is false.
    pub genres: Vec<GenreId>,
    /// Whether the catalog states genres for it at all: a title without is for tagging,
    /// not for training.
    pub labelled: bool,
    /// Titles of one group (a franchise, the cuts of a film) stay in one fold.
    pub group: Option<String>,
    /// The fold the catalog itself assigns.
    pub fold: Option<u32>,
    /// All declared metadata columns by name, as written; empty cells are absent.
    pub fields: BTreeMap<String, String>,
    /// Line of the catalog file where it stands (1-based).
    pub line: u64,
}

/// The closed list of genres, in a fixed order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// A title's metadata as typed values, before any fitting: numbers are neither scaled
/// nor filled in, categories are all that the catalog names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// One per number column; `None` where missing.
    pub numbers: Vec<Option<f64>>,
    /// One per category column; empty where missing.
    pub categories: Vec<Vec<String>>,
}

/// Names of a [`Record`]'s columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSchema {
    /// Columns of numbers.
    pub numbers: Vec<String>,
    /// Columns of categories (a language, a director, several countries).
    pub categories: Vec<String>,
}
