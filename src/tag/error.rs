//! Why titles cannot be tagged.

use std::{io, path::PathBuf};

use base::{Hinted, Interrupted, OutputError};
use catalog::CatalogError;
use encode::EncodeError;
use extract::ExtractError;
use learn::LearnError;
use store::StoreError;

/// A bundle cannot be used, or tags cannot be made or written.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The folder is no bundle, or one that this program cannot use.
    #[error("{path}: {message}")]
    Bundle {
        /// The bundle.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
        /// The mend.
        hint: Option<String>,
    },
    /// The bundle was trained on other encoders than those at hand.
    #[error(
        "{path}: trained on {modality} features {trained}, but the encoder at hand makes {here}"
    )]
    OtherEncoder {
        /// The bundle.
        path: PathBuf,
        /// The modality.
        modality: String,
        /// The fingerprint in the bundle.
        trained: String,
        /// The fingerprint here.
        here: String,
    },
    /// Features that the store should have are not there.
    #[error("{num_titles} titles have no {modality} features in the store")]
    NotExtracted {
        /// Which features.
        modality: String,
        /// How many titles.
        num_titles: usize,
    },
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
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// An encoder.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The extraction.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl TagError {
    /// An error about a file.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

impl Hinted for TagError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Bundle { hint, .. } => hint.clone(),
            Self::OtherEncoder { .. } => Some(
                "use the version of cinetag and the weights that the bundle names, or train it \
                 again with `cinetag train PIPELINE`"
                    .to_owned(),
            ),
            Self::NotExtracted { .. } => {
                Some("run `cinetag extract PIPELINE` first; it goes on where it stopped".to_owned())
            }
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
            Self::Catalog(e) => e.hint(),
            Self::Encode(e) => e.hint(),
            Self::Extract(e) => e.hint(),
            Self::Store(e) => e.hint(),
            Self::Learn(e) => e.hint(),
            Self::Interrupted(_) => {
                Some("the same command goes on: features are kept in the store".to_owned())
            }
        }
    }
}
