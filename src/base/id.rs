//! Names of things.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A title's id as its catalog gives it (`tt0085154`); cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TitleId(Arc<str>);

impl TitleId {
    /// An id from text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TitleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A genre's place in its vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GenreId(pub u16);

impl GenreId {
    /// As an index.
    #[must_use]
    pub fn idx(self) -> usize {
        usize::from(self.0)
    }
}
