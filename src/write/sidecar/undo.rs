//! The way back: what a run wrote becomes what it was, byte for byte.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use base::{Digest, replace_bytes};

use curation::{
    Change, CurationError, FOLDER, changes,
    journal::{self, Event},
};

use super::unfit;
use crate::{WriteError, format::registry};

/// What came of undoing a run.
#[derive(Debug, Default)]
pub struct Undone {
    /// Files that are what they were before the run, from the root.
    pub restored: Vec<PathBuf>,
    /// Of these, files that were moved or renamed since, with their folders: where they are now.
    pub moved: BTreeMap<PathBuf, PathBuf>,
    /// Files that somebody, or a later run, changed since: left as they are.
    pub changed_since: Vec<PathBuf>,
    /// Files that are not there any more and are nowhere else in the tree.
    pub gone: Vec<PathBuf>,
    /// Files that cannot be restored: why. They are what they were.
    pub failed: BTreeMap<PathBuf, String>,
}

/// The last run of the tree at `root` that changed something beneath `part`, a path from the
/// root, and was not undone there.
///
/// # Errors
/// A journal cannot be read.
pub fn last_run(root: &Path, part: &Path) -> Result<Option<String>, WriteError> {
    let folder = root.join(FOLDER);
    for run in journal::runs(&folder)?.into_iter().rev() {
        let changes = changes(&folder, root, &run, &unfit)?;
        let is_open = |(path, change): (&PathBuf, &Change)| {
            path.starts_with(part) && change.is_written && !change.is_undone
        };
        if changes.iter().any(is_open) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// Brings every sidecar that a run wrote beneath `part`, a path from the root, back to the bytes
/// before it. One that was moved with its film is followed. A file that was changed since is left
/// alone, or with `force` restored too; its bytes are then kept beside the before-images.
///
/// # Errors
/// There is no such run, or its journal cannot be read or written. What was restored by then stays
/// restored, and undoing goes on from there.
pub fn undo(root: &Path, part: &Path, run: &str, force: bool) -> Result<Undone, WriteError> {
    let folder = root.join(FOLDER);
    let runs = journal::runs(&folder)?;
    if !runs.iter().any(|known| known == run) {
        return Err(WriteError::NoSuchRun { root: root.to_owned(), run: run.to_owned(), runs });
    }
    let mut undone = Undone::default();
    let mut moved = Moved { root, by_ending: BTreeMap::new() };
    for (path, change) in changes(&folder, root, run, &unfit)? {
        if change.is_undone || !change.is_written || !path.starts_with(part) {
            continue;
        }
        match restore(&folder, &mut moved, &path, &change, force) {
            Ok(Outcome::Restored(place)) => {
                journal::append_to(&folder, run, &Event::Undone { path: path.clone() })?;
                if let Some(place) = place {
                    undone.moved.insert(path.clone(), place);
                }
                undone.restored.push(path);
            }
            Ok(Outcome::ChangedSince) => undone.changed_since.push(path),
            Ok(Outcome::Gone) => undone.gone.push(path),
            Err(error) => {
                undone.failed.insert(path, error.to_string());
            }
        }
    }
    Ok(undone)
}

enum Outcome {
    /// Where it lies now, if it was moved.
    Restored(Option<PathBuf>),
    ChangedSince,
    Gone,
}

fn restore(
    folder: &Path,
    moved: &mut Moved<'_>,
    path: &Path,
    change: &Change,
    force: bool,
) -> io::Result<Outcome> {
    let found = match curation::resolve(moved.root, path) {
        Ok(file) => curation::read(&file)?.map(|bytes| (file, bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let Some((file, now)) = found else {
        let here = moved.root.join(path);
        let place = match moved.find(path, change.known.after) {
            Some(place) => place,
            // Made by the run, and taken away since.
            None if change.before.is_none() => return Ok(Outcome::Restored(None)),
            // A folder that is gone is not made anew: the film is not in it.
            None if force && here.parent().is_some_and(Path::is_dir) => here,
            None => return Ok(Outcome::Gone),
        };
        write(folder, &place, change)?;
        return Ok(Outcome::Restored(Some(place)));
    };
    let digest = Some(Digest::of_bytes(&now));
    if digest != change.before {
        if digest != change.known.after {
            if !force {
                return Ok(Outcome::ChangedSince);
            }
            journal::keep(folder, &now).map_err(io::Error::other)?;
        }
        write(folder, &file, change)?;
    }
    Ok(Outcome::Restored(None))
}

/// The bytes before, and when they were last changed.
fn write(folder: &Path, file: &Path, change: &Change) -> io::Result<()> {
    let Some(before) = &change.before else { return fs::remove_file(file) };
    let bytes = journal::image(folder, before).map_err(|CurationError { path, source }| {
        io::Error::other(format!("{}: {source}", path.display()))
    })?;
    replace_bytes(file, &bytes)?;
    if let Some(modified) = change.modified {
        File::options().write(true).open(file)?.set_modified(SystemTime::from(modified))?;
    }
    Ok(())
}

/// Sidecars of a tree by what is in them, looked through when the first one is missed.
struct Moved<'a> {
    root: &'a Path,
    /// By a name's ending.
    by_ending: BTreeMap<String, Vec<(Digest, PathBuf)>>,
}

impl Moved<'_> {
    /// The one file of the tree with this content and this kind of name.
    fn find(&mut self, path: &Path, content: Option<Digest>) -> Option<PathBuf> {
        let ending = format!(".{}", registry::of_path(path)?.extension());
        let root = self.root;
        let files = self.by_ending.entry(ending).or_insert_with_key(|ending| {
            let read = |file: PathBuf| {
                let bytes = curation::read(&file).ok().flatten()?;
                Some((Digest::of_bytes(&bytes), file))
            };
            curation::files_ending_in(root, ending).into_iter().filter_map(read).collect()
        });
        let mut same = files.iter().filter(|(digest, _)| Some(*digest) == content);
        let (_, first) = same.next()?;
        same.next().is_none().then(|| first.clone())
    }
}
