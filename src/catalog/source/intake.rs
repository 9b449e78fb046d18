//! What a source hands over while it is read.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::{Path, PathBuf},
};

use base::publish_file;
use serde::{Deserialize, Serialize};

use crate::{Problem, ProblemKind, Row};

/// Takes a source's titles, problems, and word of what it left out.
pub struct Intake<'a> {
    take: &'a mut dyn FnMut(Row),
    media_dir: Option<PathBuf>,
    problems: Vec<Problem>,
    left_out: BTreeMap<String, LeftOut>,
    notes: Vec<String>,
}

/// Titles left out for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// How many.
    pub num_titles: usize,
    /// The first few.
    pub examples: Vec<String>,
}

/// Examples kept for each reason.
const NUM_EXAMPLES: usize = 5;

impl LeftOut {
    /// One more.
    pub(crate) fn count(&mut self, example: &str) {
        self.num_titles += 1;
        if self.examples.len() < NUM_EXAMPLES {
            self.examples.push(example.to_owned());
        }
    }
}

impl<'a> Intake<'a> {
    /// Titles go to `take`, one by one.
    pub fn new(take: &'a mut dyn FnMut(Row)) -> Self {
        Self {
            take,
            media_dir: None,
            problems: Vec::new(),
            left_out: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// With a folder into which media are unpacked that lie in an archive.
    #[must_use]
    pub fn unpacking_into(mut self, folder: &Path) -> Self {
        self.media_dir = Some(folder.to_owned());
        self
    }

    /// Whether media are unpacked.
    pub(super) fn unpacks(&self) -> bool {
        self.media_dir.is_some()
    }

    /// Unpacks a file under a name; gives its path. Without a folder for it, nothing is done.
    pub(super) fn keep_media(
        &mut self,
        name: &str,
        media: &mut impl Read,
    ) -> io::Result<Option<String>> {
        let Some(folder) = &self.media_dir else { return Ok(None) };
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        publish_file(&path, |temporary| {
            io::copy(media, &mut std::fs::File::create(temporary)?).map(|_| ())
        })?;
        Ok(Some(path.to_string_lossy().into_owned()))
    }

    /// One title.
    pub fn title(&mut self, row: Row) {
        (self.take)(row);
    }

    /// A title that the source has and that is not taken.
    pub fn leave_out(&mut self, reason: &str, example: &str) {
        match self.left_out.get_mut(reason) {
            Some(left_out) => left_out.count(example),
            None => self.left_out.entry(reason.to_owned()).or_default().count(example),
        }
    }

    /// Something that was decided and that people should know.
    pub fn decide(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Something is wrong with a file or a line of it (0 where it is no matter of lines); what
    /// it says is not used.
    pub fn warn(
        &mut self,
        kind: ProblemKind,
        place: (&Path, u64),
        message: impl Into<String>,
        hint: &str,
    ) {
        self.problem(Problem::warning(kind, place, message, hint));
    }

    /// A problem that is told already.
    pub fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// What was wrong, what was left out by reason, and what was decided.
    #[must_use]
    pub fn finish(self) -> (Vec<Problem>, BTreeMap<String, LeftOut>, Vec<String>) {
        (self.problems, self.left_out, self.notes)
    }
}
