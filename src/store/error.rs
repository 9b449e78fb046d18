//! What can go wrong with a store, grouped by what the caller can do about it.

use std::{io, path::PathBuf};

use base::{ErrorKind, Hinted};

/// The store cannot do what was asked. What was published before is untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system refused; mend the disk and try again.
    #[error("{path}: the feature store cannot be read or written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// HDF5 could not write a shard (a full disk, most often); nothing was published.
    #[error("{folder}: a shard could not be written")]
    Write {
        /// Where the shard was to go.
        folder: PathBuf,
        /// Why.
        #[source]
        source: Damage,
    },
    /// A file of the store is missing or not what was published.
    #[error("{path} is missing or damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Damage,
    },
    /// The folder belongs to an encoder that was described in other words.
    #[error("{path} describes another encoder: {field} is {found}, expected {expected}")]
    OtherEncoder {
        /// Its `encoder.json`.
        path: PathBuf,
        /// The field that differs.
        field: String,
        /// What stands there.
        found: String,
        /// What the encoder at hand says.
        expected: String,
    },
    /// Rows or an identity that no store can hold: a bug of the caller.
    #[error("not storable: {0}")]
    Invalid(String),
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The system cannot read it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// HDF5 cannot read it.
    #[error("HDF5: {0}")]
    Hdf5(#[from] hdf5::Error),
    /// It can be read and does not hold what it should.
    #[error("{0}")]
    Content(String),
}

impl Damage {
    pub(super) fn content(text: impl Into<String>) -> Self {
        Self::Content(text.into())
    }
}

impl StoreError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    pub(super) fn damaged(path: impl Into<PathBuf>) -> impl FnOnce(Damage) -> Self {
        let path = path.into();
        move |source| Self::Damaged { path, source }
    }
}

impl Hinted for StoreError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => Some(
                "check that the folder exists, is writable and that the disk is not full"
                    .to_owned(),
            ),
            Self::Write { .. } => Some(
                "check that the disk is not full; run the same command again, all that was \
                 published before is kept"
                    .to_owned(),
            ),
            Self::Damaged { .. } => Some(
                "`cinetag store verify --repair` sets it aside; the next run computes its \
                 features again"
                    .to_owned(),
            ),
            Self::OtherEncoder { .. } => Some(
                "the settings or weights changed without a new fingerprint: raise the \
                 encoder's ALGORITHM_VERSION, or move the folder away"
                    .to_owned(),
            ),
            Self::Invalid(_) => None,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } | Self::Write { .. } => ErrorKind::System,
            Self::Damaged { .. } | Self::OtherEncoder { .. } => ErrorKind::Damaged,
            Self::Invalid(_) => ErrorKind::Bug,
        }
    }
}
