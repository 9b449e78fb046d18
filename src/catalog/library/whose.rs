//! Whose the genres in an NFO file are: those that the program gave are no labels.
//!
//! in: what the file says, and the journals of the trees that it lies in; out: the genres of people
//! and scrapers, and those that somebody took out.
//!
//! A file whose genres are locked is somebody's word for all of them. Else what the program gave stands
//! in the file beside the genres (`<cinetag>`). Media managers that write the file anew leave that out,
//! so the journal is asked, too (`.cinetag/` in the folder that was tagged, or in one above).

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use curation::{FOLDER, Memory};

use crate::{Problem, ProblemKind, Severity, nfo::Nfo};

/// What people decided about a title.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Curated {
    /// The genres of people and scrapers.
    pub(crate) genres: Vec<String>,
    /// Genres that the program gave and somebody took out.
    pub(crate) not_genres: Vec<String>,
    /// Genres that the program gave and nobody decided about.
    pub(crate) unknown_genres: Vec<String>,
}

/// The journals of the trees that a library lies in.
#[derive(Default)]
pub(crate) struct Whose {
    /// By folder: the folder at or above it that has a journal.
    trees: HashMap<PathBuf, Option<PathBuf>>,
    /// By that folder.
    memories: HashMap<PathBuf, Memory>,
    /// Titles with genres of the program's, and how many these are.
    num_titles: usize,
    num_given: usize,
}

impl Whose {
    /// The genres of an NFO file that are people's; a journal that cannot be read is a problem, and
    /// what it says is not known.
    pub(crate) fn genres(
        &mut self,
        path: &Path,
        nfo: &Nfo,
        problems: &mut Vec<Problem>,
    ) -> Curated {
        let is_confirmed = nfo.genres_are_locked();
        let mut given = nfo.given.clone();
        let mut not_genres: Vec<String> = Vec::new();
        // The journal may lie above the folder that the command was given.
        let path = &std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let Some(tree) = path.parent().and_then(|folder| self.tree(folder, problems))
            && let Ok(relative) = path.strip_prefix(&tree)
            && let Some(known) = self.memories.get(&tree).and_then(|memory| memory.get(relative))
        {
            given.extend(known.given.iter().cloned());
            not_genres.extend(known.removed.iter().cloned());
        }
        let (ours, genres): (Vec<&String>, Vec<&String>) =
            nfo.genres.iter().partition(|genre| !is_confirmed && given.contains(genre));
        not_genres.extend(given.iter().filter(|genre| !nfo.genres.contains(genre)).cloned());
        not_genres.retain(|genre| !genres.iter().any(|theirs| is_same(theirs, genre)));
        not_genres.sort();
        not_genres.dedup();
        self.num_titles += usize::from(!ours.is_empty());
        self.num_given += ours.len();
        let owned = |genres: Vec<&String>| genres.into_iter().cloned().collect();
        Curated { genres: owned(genres), not_genres, unknown_genres: owned(ours) }
    }

    /// Word of the genres that are no labels.
    pub(crate) fn note(&self, library: &Path) -> Option<Problem> {
        if self.num_given == 0 {
            return None;
        }
        let (num_given, num_titles) = (self.num_given, self.num_titles);
        let problem = Problem::warning(
            ProblemKind::LeftOut,
            (library, 0),
            format!("{num_given} genres of {num_titles} titles were given by cinetag: no labels"),
            "where they are right, lock the film's genres (`lockedfields`): then they are yours",
        );
        Some(Problem { severity: Severity::Note, ..problem })
    }

    /// The folder at or above this one that has a journal, which is read.
    fn tree(&mut self, folder: &Path, problems: &mut Vec<Problem>) -> Option<PathBuf> {
        if let Some(known) = self.trees.get(folder) {
            return known.clone();
        }
        let found = if folder.join(FOLDER).is_dir() {
            Some(folder.to_owned())
        } else {
            let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
            above.and_then(|above| self.tree(above, problems))
        };
        if let Some(tree) = found.as_ref().filter(|tree| !self.memories.contains_key(*tree)) {
            let memory = Memory::read(tree, &curation::unfit).unwrap_or_else(|error| {
                problems.push(Problem::warning(
                    ProblemKind::BadSidecar,
                    (&error.path, 0),
                    format!("which genres cinetag gave cannot be read ({})", error.source),
                    "move `.cinetag` away; then NFO files alone say which genres are cinetag's",
                ));
                Memory::default()
            });
            self.memories.insert(tree.clone(), memory);
        }
        self.trees.insert(folder.to_owned(), found.clone());
        found
    }
}

fn is_same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
