//! Why a catalog cannot be used at all; what is wrong with single rows is a
//! [`Problem`](super::Problem).

use std::{io, path::PathBuf};

use base::{ErrorKind, Hinted};

/// A catalog, its vocabulary or its folds cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file cannot be read or written.
    #[error("{path}: cannot be {action}")]
    File {
        /// Which.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not written in a way that can be read.
    #[error("{path}: {message}")]
    Format {
        /// Which.
        path: PathBuf,
        /// What was found.
        message: String,
        /// The mend.
        hint: String,
    },
    /// A column that is needed is not there.
    #[error("{path}: there is no column `{column}` (catalog.{setting}); found: {}", found.join(", "))]
    NoColumn {
        /// The catalog.
        path: PathBuf,
        /// The setting that names the column.
        setting: String,
        /// Its name.
        column: String,
        /// The columns that are there.
        found: Vec<String>,
        /// The mend.
        hint: String,
    },
    /// No title is left.
    #[error("{path}: no title could be read{reason}")]
    NoTitles {
        /// The catalog.
        path: PathBuf,
        /// Why, as far as known; begins with a separator.
        reason: String,
        /// The mend.
        hint: String,
    },
    /// The paths that are given are no catalog, no library and no media, or not the one asked for.
    #[error("{message}")]
    Paths {
        /// What they are.
        message: String,
        /// The mend.
        hint: String,
    },
    /// A setting of `[catalog]` is out of range.
    #[error("`catalog.{setting}` {message}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What was given and what was expected.
        message: String,
        /// The mend.
        hint: String,
    },
    /// The titles cannot be divided as asked.
    #[error("{message}")]
    Folds {
        /// What, which value, what was expected.
        message: String,
        /// The mend.
        hint: String,
    },
}

impl Hinted for CatalogError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File { path, action, source } => Some(match source.kind() {
                io::ErrorKind::NotFound if path.is_absolute() => {
                    "check the path for a typing error".to_owned()
                }
                io::ErrorKind::NotFound => {
                    "check the path; a relative one starts at the folder the command runs in"
                        .to_owned()
                }
                io::ErrorKind::StorageFull | io::ErrorKind::FileTooLarge => {
                    "make room on the disk, or write to another one".to_owned()
                }
                _ => format!("make sure that it is a file which may be {action}"),
            }),
            Self::Format { hint, .. }
            | Self::NoColumn { hint, .. }
            | Self::NoTitles { hint, .. }
            | Self::Paths { hint, .. }
            | Self::Setting { hint, .. }
            | Self::Folds { hint, .. } => Some(hint.clone()),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::File { action: "written", .. } => ErrorKind::System,
            _ => ErrorKind::Usage,
        }
    }
}
