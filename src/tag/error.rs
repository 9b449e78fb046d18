//! Why titles cannot be tagged.

use std::{io, path::PathBuf};

use base::{ErrorKind, Hinted, Interrupted, OutputError};
use encode::EncodeError;
use extract::ExtractError;
use learn::LearnError;
use store::StoreError;

/// A bundle cannot be used, or tags cannot be made.
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
    /// A bundle's versions are not what is asked for.
    #[error("{message}")]
    Versions {
        /// What is wrong.
        message: String,
        /// The mend.
        hint: String,
        /// Whose fault it is.
        kind: ErrorKind,
    },
    /// A file cannot be read or written.
    #[error("{path}: cannot be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A bundle is not written where it was asked for.
    #[error(transparent)]
    Output(#[from] OutputError),
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
            Self::Versions { hint, .. } => Some(hint.clone()),
            Self::File { .. } => None,
            Self::Output(e) => e.hint(),
            Self::Encode(e) => e.hint(),
            Self::Extract(e) => e.hint(),
            Self::Store(e) => e.hint(),
            Self::Learn(e) => e.hint(),
            Self::Interrupted(_) => {
                Some("the same command goes on: features are kept in the store".to_owned())
            }
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Bundle { .. } | Self::OtherEncoder { .. } => ErrorKind::Input,
            Self::Versions { kind, .. } => *kind,
            Self::File { .. } => ErrorKind::System,
            Self::Output(e) => e.kind(),
            Self::Encode(e) => e.kind(),
            Self::Extract(e) => e.kind(),
            Self::Store(e) => e.kind(),
            Self::Learn(e) => e.kind(),
            Self::Interrupted(_) => ErrorKind::Interrupted,
        }
    }
}
