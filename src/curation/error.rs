//! Why it is not known whose a genre is.

use std::{io, path::PathBuf};

use base::{ErrorKind, Hinted};

/// A file of `.cinetag/` cannot be read or written, or is not what the program wrote.
#[derive(Debug, thiserror::Error)]
#[error("{path}: cannot be read or written")]
pub struct CurationError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl CurationError {
    /// An error about a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self { path, source }
    }
}

impl Hinted for CurationError {
    fn hint(&self) -> Option<String> {
        None
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::System
    }
}
