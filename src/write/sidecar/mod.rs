//! Sidecars: files beside the films that other programs and people read and write too.
//!
//! in: tags; out: the same files with our genres in them and nothing else changed, a journal
//! of what was changed with the bytes before, and the way back ([`undo`]).
//!
//! What people decided stays: a locked file, a genre of theirs, and a genre of ours that they
//! took out. All of it is remembered in `.cinetag/` at the root of the tree ([`Memory`]).

mod undo;
mod writer;

use std::path::Path;

use curation::journal;
pub use curation::{FOLDER, Memory, RunHeader};
pub use undo::{Undone, last_run, undo};
pub use writer::{Place, SidecarReport, SidecarWriter};

use super::WriteError;
use crate::format::registry;

/// What the last run of the tree at `root` was; `None` where it was never tagged.
///
/// # Errors
/// Its journal cannot be read.
pub fn last_header(root: &Path) -> Result<Option<RunHeader>, WriteError> {
    Ok(journal::last_header(&root.join(FOLDER))?)
}

/// What is remembered of the tree at `root`; nothing where it was never tagged.
///
/// # Errors
/// A journal cannot be read, or names what is no sidecar.
pub fn memory(root: &Path) -> Result<Memory, WriteError> {
    Ok(Memory::read(root, &unfit)?)
}

/// Why a path of a journal cannot be a sidecar's, if so.
fn unfit(path: &Path) -> Option<&'static str> {
    let format = registry::of_path(path).filter(|format| format.is_sidecar());
    curation::unfit(path).or(format.is_none().then_some("its name is no sidecar's"))
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
