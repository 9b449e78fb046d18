//! Why nothing is learned.

use base::{ErrorKind, Hinted};
use learn::LearnError;
use tag::TagError;

/// A bundle cannot be learned.
#[derive(Debug, thiserror::Error)]
pub enum AdaptError {
    /// People decided about too little.
    #[error("{message}")]
    TooFew {
        /// What is missing.
        message: String,
        /// The mend.
        hint: String,
    },
    /// The bundle to begin with, or the one that is written.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The fit.
    #[error(transparent)]
    Learn(#[from] LearnError),
}

impl Hinted for AdaptError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::TooFew { hint, .. } => Some(hint.clone()),
            Self::Tag(e) => e.hint(),
            Self::Learn(e) => e.hint(),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooFew { .. } => ErrorKind::Input,
            Self::Tag(e) => e.kind(),
            Self::Learn(e) => e.kind(),
        }
    }
}
