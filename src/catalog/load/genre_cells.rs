//! What a title says of genres: those that it has, those that it has not, and those of which that is
//! not known.

use curation::reviews::Decided;

use super::Loader;
use crate::{
    ProblemKind, Severity,
    decided::{self, Found},
    genres::genres_of,
    problem::shown,
    row::Cell,
    vocabularies,
};

/// What a title says of genres.
#[derive(Default)]
pub(super) struct Stated {
    /// Indices of those that it states.
    pub(super) genres: Vec<usize>,
    /// Their names, as long as it is not known what people decided.
    pub(super) names: Vec<String>,
    /// Names of those that it is known not to have.
    pub(super) not: Vec<String>,
    /// Names of those of which that is not known.
    pub(super) unknown: Vec<String>,
    /// Whether somebody said that it has none of the other genres.
    pub(super) is_complete: bool,
    /// Whether nothing is known of the other genres, since only answers about some are there.
    pub(super) is_partial: bool,
}

impl Stated {
    /// Somebody's answer about a genre, which may stand for several: whatever was stated of it before.
    fn answer(&mut self, genre: &str, has: Option<bool>) {
        let is_other = |name: &String| name.trim().to_lowercase() != genre.trim().to_lowercase();
        for list in [&mut self.names, &mut self.not, &mut self.unknown] {
            list.retain(is_other);
        }
        let list = match has {
            Some(true) => &mut self.names,
            Some(false) => &mut self.not,
            None => &mut self.unknown,
        };
        list.push(genre.to_owned());
    }
}

impl Loader<'_> {
    /// Lets what people decided hold over what the catalog states, and counts the genres.
    pub(super) fn apply_log(&mut self) {
        let Some(place) = self.log.take() else { return };
        let mut found = Found { decided: Vec::new(), problems: Vec::new() };
        // Numbers of rows are other titles tomorrow.
        if !self.numbers_rows {
            found = decided::find(&place, &self.titles);
        }
        self.problems.extend(found.problems);
        let mut decisions = found.decided.into_iter();
        for idx in 0..self.titles.len() {
            let mut said = std::mem::take(&mut self.stated[idx]);
            if let Some(decided) = decisions.next().flatten() {
                self.decide(&mut said, &decided);
            }
            said.genres = self.genres.count(&said.names, self.titles[idx].line);
            said.names = Vec::new();
            self.stated[idx] = said;
        }
    }

    fn decide(&mut self, said: &mut Stated, decided: &Decided) {
        said.is_partial = said.names.is_empty() && !decided.complete;
        said.is_complete = decided.complete;
        if decided.complete {
            *said = Stated { is_complete: true, ..Stated::default() };
        }
        for word in decided.answers.values() {
            for genre in self.in_target(vec![word.genre.clone()]) {
                said.answer(&genre, word.answer.has());
            }
        }
    }

    /// The genres that a cell names, as the crosswalk says them; `None` where it cannot be taken
    /// apart, which is said.
    pub(super) fn genre_names(
        &mut self,
        cell: Cell,
        field: &str,
        line: u64,
    ) -> Option<Vec<String>> {
        let value = cell.clone().into_text();
        let is_name = |name: &str| self.has_name(name);
        match genres_of(cell.content, self.spec.genres.separator, is_name) {
            Ok(names) => Some(self.in_target(names)),
            Err(reason) => {
                self.problem(
                    (Severity::Warning, ProblemKind::BadGenres),
                    line,
                    (field, &value),
                    format!(
                        "`{field}` {:?} {reason}; the title is read as unlabelled",
                        shown(&value)
                    ),
                    "write [\"Drama\", \"Comedy\"] with double quotes, or Drama|Comedy",
                );
                None
            }
        }
    }

    /// Whether a vocabulary has a genre of this name.
    fn has_name(&self, name: &str) -> bool {
        let is_same = |known: &String| known.trim().to_lowercase() == name.to_lowercase();
        self.declared_genres.iter().any(is_same)
            || self.crosswalk.as_ref().is_some_and(|crosswalk| crosswalk.knows(name))
            || (name.contains('/') && vocabularies::has(name))
    }

    /// Genres in the vocabulary that the crosswalk leads to; names that it does not know stay as
    /// they are.
    fn in_target(&mut self, names: Vec<String>) -> Vec<String> {
        let Some(crosswalk) = &self.crosswalk else { return names };
        let translated = crosswalk.translate(&names);
        for (_, loss) in translated.losses {
            *self.losses.entry(loss).or_default() += 1;
        }
        translated.genres.into_iter().chain(translated.unknown).collect()
    }
}
