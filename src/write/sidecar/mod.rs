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
mod undo;
mod writer;

use std::path::Path;

pub use journal::{FOLDER, RunHeader};
pub use memory::Memory;
pub use undo::{Undone, last_run, undo};
pub use writer::{Place, SidecarReport, SidecarWriter};

use super::WriteError;

/// What the last run of the tree at `root` was; `None` where it was never tagged.
///
/// # Errors
/// Its journal cannot be read.
pub fn last_header(root: &Path) -> Result<Option<RunHeader>, WriteError> {
    journal::last_header(&root.join(FOLDER))
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
