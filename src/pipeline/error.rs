//! Why a pipeline does not run.

use std::{io, path::PathBuf};

use base::{ErrorKind, Hinted, Interrupted, OutputError};
use catalog::CatalogError;
use demo::DemoError;
use encode::EncodeError;
use extract::ExtractError;
use learn::LearnError;
use report::ReportError;
use store::StoreError;
use tag::TagError;
use write::WriteError;

/// A pipeline cannot be read, planned or run.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The file or an override is not a pipeline.
    #[error("{place}: {message}")]
    Spec {
        /// File (and line), or the override.
        place: String,
        /// What, which value, what was expected.
        message: String,
        /// The mend.
        hint: Option<String>,
    },
    /// Another run works in the same folder.
    #[error("{folder}: another run is at work in this folder")]
    Busy {
        /// The run folder.
        folder: PathBuf,
    },
    /// A stage needs what another stage makes, and it is not there.
    #[error("stage {stage}: {message}")]
    Missing {
        /// The stage that cannot run.
        stage: String,
        /// What is missing.
        message: String,
        /// The stage to run first.
        hint: String,
    },
    /// A file of the run folder cannot be read or written.
    #[error("{path}: cannot be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something is not written where it was asked for.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The demo library.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// An encoder.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The extraction.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Learning.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Bundles and the tags they give.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// Tags written down.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl PipelineError {
    /// An error about a file of the run.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// The same place and hint with other words.
    pub(super) fn saying(self, words: String) -> Self {
        match self {
            Self::Spec { place, hint, .. } => Self::Spec { place, message: words, hint },
            other => other,
        }
    }
}

impl Hinted for PipelineError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Spec { hint, .. } => hint.clone(),
            Self::Busy { .. } => Some(
                "wait for it, or give this run another folder with `--set run.folder=…`".into(),
            ),
            Self::Missing { hint, .. } => Some(hint.clone()),
            Self::File { .. } => None,
            Self::Output(e) => e.hint(),
            Self::Catalog(e) => e.hint(),
            Self::Demo(e) => e.hint(),
            Self::Encode(e) => e.hint(),
            Self::Extract(e) => e.hint(),
            Self::Store(e) => e.hint(),
            Self::Learn(e) => e.hint(),
            Self::Report(e) => e.hint(),
            Self::Tag(e) => e.hint(),
            Self::Write(e) => e.hint(),
            Self::Interrupted(_) => Some("the same command goes on where this one stopped".into()),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Spec { .. } => ErrorKind::Usage,
            Self::Busy { .. } => ErrorKind::Busy,
            Self::Missing { .. } => ErrorKind::Input,
            Self::File { .. } => ErrorKind::System,
            Self::Output(e) => e.kind(),
            Self::Catalog(e) => e.kind(),
            Self::Demo(e) => e.kind(),
            Self::Encode(e) => e.kind(),
            Self::Extract(e) => e.kind(),
            Self::Store(e) => e.kind(),
            Self::Learn(e) => e.kind(),
            Self::Report(e) => e.kind(),
            Self::Tag(e) => e.kind(),
            Self::Write(e) => e.kind(),
            Self::Interrupted(_) => ErrorKind::Interrupted,
        }
    }
}
