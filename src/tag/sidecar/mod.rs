//! Sidecars: files beside the films that other programs and people read and write too.
//!
//! in: tags; out: the same files with our genres in them and nothing else changed, a journal
//! of what was changed with the bytes before, and the way back ([`undo`]).
//!
//! What people decided stays: a locked file, a genre of theirs, and a genre of ours that they
//! took out. All of it is remembered in `.cinetag/` at the root of the tree ([`Memory`]).

mod beneath;
mod journal;
mod memory;
mod new;
mod nfo;
mod undo;
mod writer;
mod xml_text;

use std::path::Path;

use jiff::Timestamp;

pub use journal::{FOLDER, RunHeader};
pub use memory::Memory;
pub use new::{FilmIds, NewNfo};
pub(super) use nfo::update as update_nfo;
pub use undo::{Undone, last_run, undo};
pub use writer::{Place, SidecarReport, SidecarWriter};

use super::TagError;

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
    pub(super) fn leave(reason: impl Into<String>) -> Self {
        Self::Leave { reason: reason.into() }
    }
}

/// What the last run of the tree at `root` was; `None` where it was never tagged.
///
/// # Errors
/// Its journal cannot be read.
pub fn last_header(root: &Path) -> Result<Option<RunHeader>, TagError> {
    journal::last_header(&root.join(FOLDER))
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
