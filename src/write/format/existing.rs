//! A sidecar that is there already, and what becomes of it.

use jiff::Timestamp;

use super::FilmIds;

/// A sidecar as it stands, and what the program remembers of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Existing<'a> {
    /// Its bytes; `None` where there is no file.
    pub bytes: Option<&'a [u8]>,
    /// Whether these are the bytes that the program wrote last.
    pub is_as_written: bool,
    /// The genres that the program gave.
    pub given: &'a [String],
    /// Those of them that somebody took out, now or earlier.
    pub removed: &'a [String],
    /// When it was last written.
    pub tagged_at: Option<Timestamp>,
    /// What the film is looked up by, where that is known: for a file that is made.
    pub ids: Option<&'a FilmIds>,
}

/// What becomes of a sidecar.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// These are its bytes from now on; they may be what they were.
    Write {
        /// The file.
        bytes: Vec<u8>,
        /// The genres in it that the program gave.
        given: Vec<String>,
        /// Genres that somebody took out and that are not given again.
        removed: Vec<String>,
    },
    /// It is left alone.
    Leave {
        /// Why.
        reason: String,
    },
}

impl Update {
    /// It is left alone.
    pub(crate) fn leave(reason: impl Into<String>) -> Self {
        Self::Leave { reason: reason.into() }
    }
}
