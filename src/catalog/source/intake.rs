//! What a source hands over while it is read.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::catalog::{Problem, ProblemKind, Row, Severity};

/// Takes a source's titles, problems, and word of what it left out.
pub struct Intake<'a> {
    take: &'a mut dyn FnMut(Row),
    problems: Vec<Problem>,
    left_out: BTreeMap<String, LeftOut>,
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

impl<'a> Intake<'a> {
    /// Titles go to `take`, one by one.
    pub fn new(take: &'a mut dyn FnMut(Row)) -> Self {
        Self { take, problems: Vec::new(), left_out: BTreeMap::new() }
    }

    /// One title.
    pub fn title(&mut self, row: Row) {
        (self.take)(row);
    }

    /// A title that the source has and that is not taken.
    pub fn leave_out(&mut self, reason: &str, example: &str) {
        if !self.left_out.contains_key(reason) {
            self.left_out.insert(reason.to_owned(), LeftOut::default());
        }
        let Some(left_out) = self.left_out.get_mut(reason) else { return };
        left_out.num_titles += 1;
        if left_out.examples.len() < NUM_EXAMPLES {
            left_out.examples.push(example.to_owned());
        }
    }

    /// Something is wrong with a file or a line of it (0 where it is no matter of lines); what
    /// it says is not used.
    pub fn warn(
        &mut self,
        kind: ProblemKind,
        (file, line): (&Path, u64),
        message: impl Into<String>,
        hint: &str,
    ) {
        self.problems.push(Problem {
            severity: Severity::Warning,
            kind,
            file: file.to_owned(),
            line: (line > 0).then_some(line),
            column: None,
            field: None,
            value: None,
            message: message.into(),
            hint: hint.to_owned(),
        });
    }

    /// What was wrong and what was left out, by reason.
    #[must_use]
    pub fn finish(self) -> (Vec<Problem>, BTreeMap<String, LeftOut>) {
        (self.problems, self.left_out)
    }
}
