//! Why tags are not written.

use std::{io, path::PathBuf};

use base::{ErrorKind, Hinted, Interrupted, OutputError};
use curation::CurationError;
use extract::ExtractError;
use store::StoreError;
use tag::TagError;

/// Tags cannot be made, written or taken back.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file cannot be read or written.
    #[error("{path}: cannot be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A format of sidecars was asked for one file about many titles.
    #[error("{format} knows no file about many titles, only one a title")]
    NoTable {
        /// The format.
        format: &'static str,
    },
    /// A run that the tree's journal does not know.
    #[error("{}: no run {run:?} is known there", root.display())]
    NoSuchRun {
        /// The root of the tree.
        root: PathBuf,
        /// The run that was asked for.
        run: String,
        /// Those that are known.
        runs: Vec<String>,
    },
    /// The tags cannot be written.
    #[error("the tags cannot be written")]
    Write(#[from] io::Error),
    /// Something is not written where it was asked for.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The tags cannot be made.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The titles cannot be looked at.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The journal of a tree.
    #[error(transparent)]
    Curation(#[from] CurationError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl WriteError {
    /// An error about a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

impl Hinted for WriteError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoTable { .. } => Some(
                "write sidecars: `--in-place`, or `--sidecars DIR` into a folder of their own"
                    .to_owned(),
            ),
            Self::NoSuchRun { runs, .. } if runs.is_empty() => {
                Some("name the folder that was tagged: its journal is in `.cinetag`".to_owned())
            }
            Self::NoSuchRun { runs, .. } => Some(format!("there are {}", runs.join(", "))),
            Self::File { .. } | Self::Write(_) => None,
            Self::Output(e) => e.hint(),
            Self::Tag(e) => e.hint(),
            Self::Extract(e) => e.hint(),
            Self::Curation(e) => e.hint(),
            Self::Store(e) => e.hint(),
            Self::Interrupted(_) => {
                Some("the same command goes on: features are kept in the store".to_owned())
            }
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoTable { .. } | Self::NoSuchRun { .. } => ErrorKind::Usage,
            Self::File { .. } | Self::Write(_) => ErrorKind::System,
            Self::Output(e) => e.kind(),
            Self::Tag(e) => e.kind(),
            Self::Extract(e) => e.kind(),
            Self::Curation(e) => e.kind(),
            Self::Store(e) => e.kind(),
            Self::Interrupted(_) => ErrorKind::Interrupted,
        }
    }
}
