//! Genre cells and the closed vocabulary.
//!
//! in: cells of the genre column; out: a [`Vocabulary`] and what became of each name.

mod cells;
mod given;

use std::{collections::HashMap, path::Path};

use base::{GenreId, nearest::nearest};
pub(super) use cells::{genres_of, names_of};
pub(super) use given::declared;

use super::{CatalogError, Problem, ProblemKind, Severity, Vocabulary, spec::GenreSpec};
use given::given_names;

/// Counts names; spellings that differ in letter case only are one name, spelt as it stood
/// first.
#[derive(Default)]
pub(super) struct GenreCounter {
    idx_of: HashMap<String, usize>,
    seen: Vec<Seen>,
}

struct Seen {
    name: String,
    num_titles: usize,
    first_line: u64,
}

/// What becomes of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// In the vocabulary.
    Known(GenreId),
    /// Excluded, or with too few titles: the title does not have any of the genres that count
    /// because of it, and that is known.
    LeftOut,
    /// Not in the vocabulary that was given: what it means is not known.
    Unknown,
}

impl GenreCounter {
    /// Counts the names of one title; gives their indices, each once.
    pub(super) fn count(&mut self, names: &[String], line: u64) -> Vec<usize> {
        let mut idxs = Vec::with_capacity(names.len());
        for name in names {
            let next = self.seen.len();
            let idx = *self.idx_of.entry(name.to_lowercase()).or_insert(next);
            if idx == next {
                self.seen.push(Seen { name: name.clone(), num_titles: 0, first_line: line });
            }
            if !idxs.contains(&idx) {
                self.seen[idx].num_titles += 1;
                idxs.push(idx);
            }
        }
        idxs
    }

    /// Names that are another one spelt in another way, or no words; with what is said of them.
    fn odd(&self) -> Vec<(&Seen, String, String)> {
        let mut words: Vec<(&Seen, Vec<String>)> = Vec::new();
        let mut odd = Vec::new();
        for seen in &self.seen {
            let own = words_of(&seen.name);
            if own.iter().all(|word| word.chars().all(|c| c.is_ascii_digit())) {
                odd.push((
                    seen,
                    format!("genre `{}` is no word ({})", seen.name, titles(seen.num_titles)),
                    "write the genres' names, or leave it out with `catalog.genres.exclude`"
                        .to_owned(),
                ));
                continue;
            }
            match words.iter().find(|(_, other)| are_twins(other, &own)) {
                None => words.push((seen, own)),
                Some((other, _)) => odd.push((
                    seen,
                    format!(
                        "genres `{}` ({}) and `{}` ({}) look like one, spelt in two ways",
                        other.name,
                        titles(other.num_titles),
                        seen.name,
                        titles(seen.num_titles)
                    ),
                    "write both in one way, or say which genres there are with \
                     `catalog.genres.vocabulary`"
                        .to_owned(),
                )),
            }
        }
        odd
    }

    fn support(&self, name: &str) -> usize {
        self.idx_of.get(&name.to_lowercase()).map_or(0, |&idx| self.seen[idx].num_titles)
    }

    /// Makes the vocabulary: the given one in its order, else all names seen, ordered by name;
    /// in both cases without what is excluded or has too few titles. A given vocabulary stays
    /// whole in a catalog where no title states a genre.
    ///
    /// Gives the vocabulary and what became of each index that [`count`](Self::count) gave.
    pub(super) fn to_vocabulary(
        &self,
        spec: &GenreSpec,
        file: &Path,
        column: &str,
        problems: &mut Vec<Problem>,
    ) -> Result<(Vocabulary, Vec<Resolved>), CatalogError> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let given = spec.vocabulary.as_ref().map(|v| given_names(v, folder)).transpose()?;
        let candidates = given.clone().unwrap_or_else(|| {
            let mut names: Vec<_> = self.seen.iter().map(|seen| seen.name.clone()).collect();
            names.sort_by_key(|name| (name.to_lowercase(), name.clone()));
            names
        });
        let problem = |severity, kind, line, name: &str, message, hint| Problem {
            severity,
            kind,
            file: file.to_owned(),
            line,
            column: None,
            field: Some(column.to_owned()),
            value: Some(name.to_owned()),
            message,
            hint,
        };
        let excluded = |name: &str| spec.exclude.iter().any(|e| same(e, name));
        for name in &spec.exclude {
            if !candidates.iter().any(|c| same(c, name)) && self.support(name) == 0 {
                let mend = nearest(name, candidates.iter().map(String::as_str))
                    .map_or_else(|| "take it out of".to_owned(), |n| format!("write `{n}` in"));
                problems.push(problem(
                    Severity::Note,
                    ProblemKind::UnknownGenre,
                    None,
                    name,
                    format!("genre `{name}` is excluded, but no title has it"),
                    format!("{mend} `catalog.genres.exclude`"),
                ));
            }
        }
        let mut kept = Vec::new();
        for name in &candidates {
            let num_titles = self.support(name);
            if excluded(name) {
                continue;
            }
            if self.seen.is_empty() || num_titles >= spec.min_support {
                kept.push(name.clone());
                continue;
            }
            problems.push(problem(
                Severity::Note,
                ProblemKind::RareGenre,
                None,
                name,
                format!(
                    "genre `{name}` is left out: it has {}, fewer than min_support = {}",
                    titles(num_titles),
                    spec.min_support
                ),
                "lower `catalog.genres.min_support` to keep it".to_owned(),
            ));
        }
        if kept.len() > usize::from(u16::MAX) {
            return Err(CatalogError::Setting {
                setting: "columns.genres",
                message: format!("names `{column}`, which holds {} different genres", kept.len()),
                hint: "name the column that holds genres, or raise `catalog.genres.min_support`"
                    .to_owned(),
            });
        }
        if given.is_none() {
            problems.extend(self.odd().into_iter().map(|(seen, message, hint)| {
                problem(
                    Severity::Warning,
                    ProblemKind::OddGenre,
                    Some(seen.first_line).filter(|&line| line > 0),
                    &seen.name,
                    message,
                    hint,
                )
            }));
        }
        let vocabulary = Vocabulary::new(kept);
        let mut resolved = Vec::with_capacity(self.seen.len());
        for seen in &self.seen {
            let found = match vocabulary.find(&seen.name) {
                Some(genre) => Resolved::Known(genre),
                None if excluded(&seen.name) => Resolved::LeftOut,
                None if candidates.iter().any(|c| same(c, &seen.name)) => Resolved::LeftOut,
                None => Resolved::Unknown,
            };
            if found == Resolved::Unknown {
                let mend = nearest(&seen.name, candidates.iter().map(String::as_str))
                    .map_or_else(String::new, |name| format!("write `{name}` if that is meant, "));
                problems.push(problem(
                    Severity::Warning,
                    ProblemKind::UnknownGenre,
                    Some(seen.first_line),
                    &seen.name,
                    format!(
                        "genre `{}` is not in the vocabulary and not used ({}, this is the first)",
                        seen.name,
                        titles(seen.num_titles)
                    ),
                    format!(
                        "{mend}add it to `catalog.genres.vocabulary`, or to \
                         `catalog.genres.exclude` if it does not count"
                    ),
                ));
            }
            resolved.push(found);
        }
        Ok((vocabulary, resolved))
    }
}

fn titles(num_titles: usize) -> String {
    if num_titles == 1 { "1 title".to_owned() } else { format!("{num_titles} titles") }
}

fn words_of(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Whether two names are one but for signs between their letters (`Sci-Fi`, `SciFi`), words cut
/// short (`Science Fiction`), or initials (`SF`). One word cut short is another (`Music`,
/// `Musical`).
fn are_twins(a: &[String], b: &[String]) -> bool {
    let is_cut =
        |(a, b): (&String, &String)| a.starts_with(b.as_str()) || b.starts_with(a.as_str());
    let initials =
        |words: &[String]| words.iter().filter_map(|w| w.chars().next()).collect::<String>();
    let are_initials = |short: &[String], long: &[String]| {
        short.len() == 1 && long.len() > 1 && short[0] == initials(long)
    };
    let are_cut = a.len() > 1 && a.len() == b.len() && a.iter().zip(b).all(is_cut);
    a.concat() == b.concat() || are_cut || are_initials(a, b) || are_initials(b, a)
}

fn same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::VocabularySpec;

    #[test]
    fn genres_that_are_spelt_in_two_ways_are_told() {
        let mut counter = GenreCounter::default();
        for (line, name) in
            [(2, "Sci-Fi"), (3, "Drama"), (4, "sci fi"), (5, "18"), (6, "Film-Noir")]
        {
            counter.count(&[name.to_owned()], line);
        }
        let mut problems = Vec::new();
        let path = Path::new("a.csv");
        counter.to_vocabulary(&GenreSpec::default(), path, "genres", &mut problems).unwrap();
        let told: Vec<_> = problems.iter().map(|p| (p.line, p.kind, &*p.message)).collect();
        let twins =
            "genres `Sci-Fi` (1 title) and `sci fi` (1 title) look like one, spelt in two ways";
        let odd = ProblemKind::OddGenre;
        let number = "genre `18` is no word (1 title)";
        assert_eq!(told, [(Some(4), odd, twins), (Some(5), odd, number)]);
    }

    #[test]
    fn one_name_cut_short_is_known_and_two_names_are_two() {
        let twins = |a: &str, b: &str| are_twins(&words_of(a), &words_of(b));
        for (a, b) in [
            ("Sci-Fi", "SciFi"),
            ("Science Fiction", "sci fi"),
            ("SF", "Sci-Fi"),
            ("Film Noir", "FILM-NOIR"),
            ("TV Movie", "TV-Mov."),
        ] {
            assert!(twins(a, b) && twins(b, a), "{a}, {b}");
        }
        for (a, b) in [
            ("Music", "Musical"),
            ("War", "Western"),
            ("Action", "Action Adventure"),
            ("S", "Sport"),
        ] {
            assert!(!twins(a, b) && !twins(b, a), "{a}, {b}");
        }
    }

    fn counter() -> GenreCounter {
        let mut counter = GenreCounter::default();
        let owned = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        assert_eq!(counter.count(&owned(&["War", "Drama", "war"]), 2), [0, 1]);
        assert_eq!(counter.count(&owned(&["drama", "comedy"]), 3), [1, 2]);
        assert_eq!(counter.count(&owned(&["Comedy"]), 4), [2]);
        counter
    }

    #[test]
    fn an_open_vocabulary_is_ordered_by_name_and_cut_by_support() {
        let spec = GenreSpec { min_support: 2, ..GenreSpec::default() };
        let mut problems = Vec::new();
        let (vocabulary, resolved) =
            counter().to_vocabulary(&spec, Path::new("a.csv"), "genres", &mut problems).unwrap();
        assert_eq!(vocabulary.names(), ["comedy", "Drama"]);
        assert_eq!(
            resolved,
            [Resolved::LeftOut, Resolved::Known(GenreId(1)), Resolved::Known(GenreId(0))]
        );
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].kind, ProblemKind::RareGenre);
    }

    #[test]
    fn an_excluded_genre_does_not_count_however_common() {
        let spec = GenreSpec { exclude: vec!["drama".to_owned()], ..GenreSpec::default() };
        let (vocabulary, resolved) =
            counter().to_vocabulary(&spec, Path::new("a.csv"), "genres", &mut Vec::new()).unwrap();
        assert_eq!(vocabulary.names(), ["comedy", "War"]);
        assert_eq!(resolved[1], Resolved::LeftOut);
    }

    #[test]
    fn a_given_vocabulary_keeps_its_order_and_names_strangers() {
        let names = ["Drama", "Comdy"].map(str::to_owned).to_vec();
        let spec = GenreSpec {
            vocabulary: Some(VocabularySpec::Names(names)),
            exclude: vec!["WAR".to_owned()],
            min_support: 0,
            ..GenreSpec::default()
        };
        let mut problems = Vec::new();
        let (vocabulary, resolved) =
            counter().to_vocabulary(&spec, Path::new("a.csv"), "genres", &mut problems).unwrap();
        assert_eq!(vocabulary.names(), ["Drama", "Comdy"]);
        assert_eq!(resolved, [Resolved::LeftOut, Resolved::Known(GenreId(0)), Resolved::Unknown]);
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!((problem.line, problem.value.as_deref()), (Some(3), Some("comedy")));
        assert!(problem.hint.contains("write `Comdy`"), "{}", problem.hint);
    }
}
