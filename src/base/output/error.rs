//! Why something is not written where a person wants it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::Why;
use crate::{ErrorKind, Hinted};

/// A path that is not written to. What stood there is untouched.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// What stands there is not to be replaced.
    #[error("{path}: {}", words(*why))]
    Refused {
        /// The path as it was named.
        path: PathBuf,
        /// Why.
        why: Why,
    },
    /// A folder on its path is missing.
    #[error("{path}: is not written: there is no folder {folder}")]
    NoFolder {
        /// The path as it was named.
        path: PathBuf,
        /// What is missing.
        folder: PathBuf,
    },
    /// The folder of a run holds other things, and no run.
    #[error("{folder}: is no run folder: it holds {found:?}, and no run")]
    NoRun {
        /// The folder.
        folder: PathBuf,
        /// One of the things in it.
        found: String,
    },
    /// Somebody wrote there while this was computed.
    #[error(
        "{path}: was written by somebody else meanwhile, and stays; what was made is in {kept}"
    )]
    Meanwhile {
        /// The path as it was named.
        path: PathBuf,
        /// Where the output is.
        kept: PathBuf,
    },
    /// The system's error.
    #[error("{path}: cannot be written")]
    File {
        /// The path as it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl OutputError {
    pub(super) fn refused(path: &Path, why: Why) -> Self {
        Self::Refused { path: path.to_owned(), why }
    }

    pub(super) fn no_folder(path: &Path, folder: &Path) -> Self {
        Self::NoFolder { path: path.to_owned(), folder: folder.to_owned() }
    }

    /// An error of the system's about a path.
    pub fn file(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path: path.clone(), source }
    }
}

fn words(why: Why) -> &'static str {
    match why {
        Why::Input => "is not written: it is one of the files that are read",
        Why::Twice => "is not written: another output has the same name",
        Why::NotOurs => {
            "is not written: a file is there that cinetag did not make, or that was changed since"
        }
        Why::Folder => "is not written: it is a folder",
        Why::NoFolder => "is not written: it is no folder",
        Why::GoneWithFolder => "would be gone with its folder, which is replaced as a whole",
        Why::NoFile => "is not written: it is no file",
    }
}

impl Hinted for OutputError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused { why: Why::NotOurs, .. } => "give another name; --overwrite replaces it",
            Self::Refused { why: Why::GoneWithFolder, .. } => {
                "move it away, or give another folder"
            }
            Self::Refused { why: Why::Folder, .. } => "give the name of a file in it",
            Self::Refused { .. } => "give another name",
            Self::NoFolder { .. } => {
                "make the folder, or mount the disk that it lies on; folders on the way are not made"
            }
            Self::NoRun { .. } => {
                "give the run a folder of its own with `--set run.folder=…`; --overwrite takes this one"
            }
            Self::Meanwhile { .. } => "look at both, and keep the one that you want",
            Self::File { .. } => return None,
        };
        Some(hint.to_owned())
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::File { .. } | Self::Meanwhile { .. } => ErrorKind::System,
            _ => ErrorKind::Usage,
        }
    }
}
