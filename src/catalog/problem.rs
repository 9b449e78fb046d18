//! What is wrong with single rows of a catalog, with the place and the mend.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// How much a problem costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is wrong; it is good to know.
    Note,
    /// The title is kept, but what the cell says is not used.
    Warning,
    /// The row is left out.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Another number of cells than the header, a broken quote, broken JSON.
    MalformedRow,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// A column name that occurs twice in the header.
    DuplicateColumn,
    /// No id.
    EmptyId,
    /// An id that stood in an earlier row.
    DuplicateId,
    /// No number, or none that a year can be.
    BadYear,
    /// No count from 0.
    BadFold,
    /// A file that is named but not there.
    MissingFile,
    /// A genre cell that cannot be taken apart.
    BadGenres,
    /// A genre outside the vocabulary.
    UnknownGenre,
    /// A genre with too few titles.
    RareGenre,
    /// A genre that looks like another one spelt in another way, or like no genre.
    OddGenre,
    /// A folder that cannot be read.
    UnreadableFolder,
    /// A sidecar that is none.
    BadSidecar,
    /// A log of what people decided that is not what was written.
    BadLog,
    /// An answer about a title that is not there.
    UnknownTitle,
    /// What is no answer.
    BadAnswer,
    /// Titles that a source has and that are not taken.
    LeftOut,
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MalformedRow => "malformed row",
            Self::NotUtf8 => "not UTF-8",
            Self::DuplicateColumn => "duplicate column",
            Self::EmptyId => "empty id",
            Self::DuplicateId => "duplicate id",
            Self::BadYear => "bad year",
            Self::BadFold => "bad fold",
            Self::MissingFile => "missing file",
            Self::BadGenres => "bad genre cell",
            Self::UnknownGenre => "unknown genre",
            Self::OddGenre => "odd genre",
            Self::RareGenre => "rare genre",
            Self::UnreadableFolder => "unreadable folder",
            Self::BadSidecar => "bad sidecar",
            Self::BadLog => "bad log",
            Self::UnknownTitle => "unknown title",
            Self::BadAnswer => "bad answer",
            Self::LeftOut => "left out",
        })
    }
}

/// One problem of a catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How much it costs.
    pub severity: Severity,
    /// What kind it is, for counting.
    pub kind: ProblemKind,
    /// The catalog file, or the file or folder that cannot be read.
    pub file: PathBuf,
    /// 1-based line, where the problem has one.
    pub line: Option<u64>,
    /// 1-based character in the line, where known.
    pub column: Option<u64>,
    /// Name of the catalog's column.
    pub field: Option<String>,
    /// What stands there, shortened.
    pub value: Option<String>,
    /// What is wrong and what was done about it.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

impl Problem {
    /// Something is wrong with a file or a line of it (0 where it is no matter of lines); what it
    /// says is not used.
    pub(super) fn warning(
        kind: ProblemKind,
        (file, line): (&Path, u64),
        message: impl Into<String>,
        hint: &str,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            kind,
            file: file.to_owned(),
            line: (line > 0).then_some(line),
            column: None,
            field: None,
            value: None,
            message: message.into(),
            hint: hint.to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if let Some(column) = self.column {
            write!(f, "{column}:")?;
        }
        write!(f, " {}: {}\n  hint: {}", self.severity, self.message, self.hint)
    }
}

/// A cell as it is shown in messages: in one line, at most 60 characters.
pub(super) fn shown(value: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut text: String =
        value.chars().take(MAX_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if value.chars().nth(MAX_CHARS).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_many_lined_cells_are_shown_short() {
        assert_eq!(shown("a\nb"), "a b");
        assert_eq!(shown(&"é".repeat(100)).chars().count(), 61);
    }
}
