//! What people decided about the titles of a catalog.

use base::GenreId;
use catalog::Catalog;
use serde::Serialize;

/// What people decided, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Curated {
    /// All titles.
    pub num_titles: usize,
    /// Those whose genres are stated.
    pub num_labelled: usize,
    /// Those of which something is known and not all: a genre is unknown, or only genres that they do not
    /// have are.
    pub num_partly: usize,
    /// In the vocabulary's order.
    pub genres: Vec<GenreCount>,
}

/// What is known of one genre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenreCount {
    /// Its name.
    pub genre: String,
    /// Titles that have it.
    pub yes: usize,
    /// Titles that do not.
    pub no: usize,
    /// Titles with stated genres of which nobody knows whether they have this one.
    pub unknown: usize,
}

impl Curated {
    /// Counts.
    #[must_use]
    pub fn of(catalog: &Catalog) -> Self {
        let titles = &catalog.titles;
        let labelled = titles.iter().filter(|title| title.labelled);
        let is_partly = |title: &&catalog::Title| {
            let only_no = !title.labelled && !title.not_genres.is_empty();
            only_no || (title.labelled && !title.unknown_genres.is_empty())
        };
        let names = catalog.vocabulary.names().iter().enumerate();
        let genres = names.map(|(at, name)| {
            let has = |genres: &[GenreId]| genres.iter().any(|id| id.idx() == at);
            let yes = titles.iter().filter(|title| has(&title.genres)).count();
            let unknown = labelled.clone().filter(|title| has(&title.unknown_genres)).count();
            let no =
                titles.iter().filter(|title| !title.labelled && has(&title.not_genres)).count()
                    + labelled.clone().count()
                    - labelled.clone().filter(|title| has(&title.genres)).count()
                    - unknown;
            GenreCount { genre: name.clone(), yes, no, unknown }
        });
        Self {
            num_titles: titles.len(),
            num_labelled: labelled.clone().count(),
            num_partly: titles.iter().filter(is_partly).count(),
            genres: genres.collect(),
        }
    }
}
