//! Plain structs to HTML, SVG, Markdown and JSON.
//!
//! in: [`EvaluationReport`], made from arrays by [`Evidence::assemble`]
//! out: `report.html` (one file that loads nothing), `report.md`, `report-*.csv`, `metrics.json`
//!
//! `metrics.json` holds figures alone: two runs over the same data with the same seed give the
//! same bytes. When, where and how long stands in the two others ([`Circumstances`]).

pub mod ablation;
mod borrowed;
pub mod caveats;
pub mod compare;
mod contact_sheet;
mod csv;
mod errors;
mod evidence;
pub mod held_out;
mod model;
mod render;
mod svg;
mod tables;
mod trust;

use std::{
    io,
    path::{Path, PathBuf},
};

use base::{ErrorKind, Hinted, file, publish_bytes};

pub use borrowed::{BesideRow, BorrowedGenre, BorrowedReport, WordsRow, borrowed};
pub use contact_sheet::{
    ContactSheet, SheetFrame, SheetGenre, SheetLine, SheetMissing, SheetText, SheetTitle,
};
pub use errors::{Confusion, DecadeRow, DoubtfulLabel, ErrorAnalysis, WorstTitle, WrongDecision};
pub use evidence::{Alone, Evidence, TitleFacts};
pub use model::{
    AloneReport, Circumstances, EvaluationReport, FoldRow, GenreReport, LeakCheck, OperatingPoint,
    PresenceRow, Provenance, ReferenceRow, Reliability, RepeatRow, StageDuration, SubsetFigures,
    TrainingCurve,
};

/// The page's name in the report folder.
pub const HTML_FILE: &str = "report.html";
/// The Markdown text's name in the report folder.
pub const MARKDOWN_FILE: &str = "report.md";
/// The figures' name in the report folder.
pub const METRICS_FILE: &str = "metrics.json";

/// A report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The arrays do not belong together: a bug of the caller.
    #[error("{what}: expected {expected}, got {found}")]
    Shape {
        /// Which array.
        what: &'static str,
        /// Its size as the others have it.
        expected: String,
        /// Its size.
        found: String,
    },
    /// A file cannot be written or read.
    #[error("{}: cannot be {action}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// `written` or `read`.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds no metrics of this version.
    #[error("{}: holds no metrics that this version can read", path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Runs that do not stand on the same titles.
    #[error("these runs cannot be compared: {message}")]
    NotComparable {
        /// What differs.
        message: String,
    },
    /// A template does not fit the data: a bug.
    #[error("the report's template failed")]
    Template(#[from] minijinja::Error),
}

impl Hinted for ReportError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File { action: "written", .. } => {
                Some("check that the folder can be written to and that the disk has room".into())
            }
            Self::NotComparable { .. } => Some(
                "compare runs with the same catalog and the same folds: give the second the \
                 first one's split stage"
                    .into(),
            ),
            Self::File { .. } | Self::Json { .. } => {
                Some("evaluate again: the report is written anew".into())
            }
            _ => None,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotComparable { .. } | Self::File { action: "read", .. } => ErrorKind::Usage,
            Self::File { .. } => ErrorKind::System,
            Self::Json { .. } => ErrorKind::Damaged,
            _ => ErrorKind::Bug,
        }
    }
}

/// The files of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub html: PathBuf,
    /// The text.
    pub markdown: PathBuf,
    /// The figures.
    pub metrics: PathBuf,
    /// The tables as CSV.
    pub tables: Vec<PathBuf>,
}

/// Writes the files into `folder`, which is made if need be. Each file is replaced in one
/// step; `metrics.json` comes last, so that where it is new the others are.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, report: &EvaluationReport) -> Result<Written, ReportError> {
    let html = render::html(report)?;
    let markdown = render::markdown(report)?;
    let metrics = metrics_json(report);
    let tables = tables::tables(report);
    Ok(Written {
        tables: tables.iter().map(|table| csv::write(folder, table)).collect::<Result<_, _>>()?,
        html: publish(folder, HTML_FILE, &html)?,
        markdown: publish(folder, MARKDOWN_FILE, &markdown)?,
        metrics: publish(folder, METRICS_FILE, &metrics)?,
    })
}

/// Writes one file of a report, replacing it in one step.
fn publish(folder: &Path, name: &str, text: &str) -> Result<PathBuf, ReportError> {
    let path = folder.join(name);
    match publish_bytes(&path, text.as_bytes()) {
        Ok(()) => Ok(path),
        Err(source) => Err(ReportError::File { path, action: "written", source }),
    }
}

/// How often genres occur together, as an SVG file. `counts` `[genres, genres]`: titles that have
/// both; those with one on the diagonal.
#[must_use]
pub fn co_occurrence_svg(genres: &[String], counts: &[Vec<u64>]) -> String {
    svg::co_occurrence_alone(genres, counts)
}

/// The text of `metrics.json`: the report without its [`Circumstances`].
#[must_use]
pub fn metrics_json(report: &EvaluationReport) -> String {
    base::json::pretty(report)
}

/// Reads a `metrics.json` back; its circumstances are empty.
///
/// # Errors
/// The file cannot be read or is of another version.
pub fn read_metrics(path: &Path) -> Result<EvaluationReport, ReportError> {
    read_json(path)
}

/// What a JSON file of an evaluation says.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ReportError> {
    let text = file::read_to_string(path).map_err(|source| ReportError::File {
        path: path.to_owned(),
        action: "read",
        source,
    })?;
    serde_json::from_str(&text)
        .map_err(|source| ReportError::Json { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
