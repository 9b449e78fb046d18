//! The way back: what a run wrote becomes what it was, byte for byte.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    journal::{self, Event, FOLDER},
    memory::changes,
};
use crate::{
    base::{Digest, publish_bytes},
    tag::TagError,
};

/// What came of undoing a run.
#[derive(Debug, Default)]
pub struct Undone {
    /// Files that are what they were before the run, from the root.
    pub restored: Vec<PathBuf>,
    /// Files that somebody, or a later run, changed since: left as they are.
    pub changed_since: Vec<PathBuf>,
}

/// The last run of the tree at `root` that was not undone.
///
/// # Errors
/// A journal cannot be read.
pub fn last_run(root: &Path) -> Result<Option<String>, TagError> {
    let folder = root.join(FOLDER);
    for run in journal::runs(&folder)?.into_iter().rev() {
        let changes = changes(&folder, root, &run)?;
        if changes.values().any(|change| change.is_written && !change.is_undone) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// Brings every sidecar that a run wrote back to the bytes before it. A file that was changed
/// since is left alone, or with `force` restored too; its bytes are then kept beside the
/// before-images.
///
/// # Errors
/// There is no such run, or a file cannot be read or written. What was restored by then stays
/// restored, and undoing goes on from there.
pub fn undo(root: &Path, run: &str, force: bool) -> Result<Undone, TagError> {
    let folder = root.join(FOLDER);
    let runs = journal::runs(&folder)?;
    if !runs.iter().any(|known| known == run) {
        return Err(TagError::NoSuchRun { root: root.to_owned(), run: run.to_owned(), runs });
    }
    let mut undone = Undone::default();
    for (path, change) in changes(&folder, root, run)? {
        if change.is_undone || !change.is_written {
            continue;
        }
        let full = root.join(&path);
        let now = match fs::read(&full) {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(TagError::file(full)(e)),
        };
        let digest = now.as_deref().map(Digest::of_bytes);
        if digest != change.before {
            if digest != change.known.after {
                if !force {
                    undone.changed_since.push(path);
                    continue;
                }
                if let Some(bytes) = &now {
                    journal::keep(&folder, bytes)?;
                }
            }
            match &change.before {
                Some(before) => {
                    let image = journal::image(&folder, before);
                    let bytes = fs::read(&image).map_err(TagError::file(image))?;
                    publish_bytes(&full, &bytes).map_err(TagError::file(&full))?;
                }
                None => fs::remove_file(&full).map_err(TagError::file(&full))?,
            }
        }
        journal::append_to(&folder, run, &Event::Undone { path: path.clone() })?;
        undone.restored.push(path);
    }
    Ok(undone)
}
