//! What a title says of genres: those that it has, those that it has not, and those of which that is
//! not known.

use super::Loader;
use crate::{ProblemKind, Severity, genres::genres_of, problem::shown, row::Cell, vocabularies};

/// What a title says of genres.
#[derive(Default)]
pub(super) struct Stated {
    /// Indices of those that it states.
    pub(super) genres: Vec<usize>,
    /// Names of those that it is known not to have.
    pub(super) not: Vec<String>,
    /// Names of those of which that is not known.
    pub(super) unknown: Vec<String>,
}

impl Loader<'_> {
    pub(super) fn stated_genres(&mut self, cell: Cell, field: &str, line: u64) -> Vec<usize> {
        let names = self.genre_names(cell, field, line);
        names.map_or_else(Vec::new, |names| self.genres.count(&names, line))
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
