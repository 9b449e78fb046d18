//! What the program remembers of a tree's sidecars: its journals, read in their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use base::Digest;
use jiff::Timestamp;

use super::{
    CurationError, beneath,
    journal::{self, Event, FOLDER, Known, Unfit},
};

/// Sidecars by their path from the root.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<PathBuf, Known>);

impl Memory {
    /// Reads what is remembered of the tree at `root`; nothing where it was never tagged.
    ///
    /// # Errors
    /// A journal cannot be read, or names a path that is `unfit`.
    pub fn read(root: &Path, unfit: &Unfit) -> Result<Self, CurationError> {
        let folder = root.join(FOLDER);
        // The states that each sidecar was brought to. Undoing a run takes its state away, and
        // with it what later runs only looked at.
        let mut states: BTreeMap<PathBuf, Vec<Known>> = BTreeMap::new();
        let mut undone: BTreeSet<PathBuf> = BTreeSet::new();
        for run in journal::runs(&folder)? {
            for (path, change) in changes(&folder, root, &run, unfit)? {
                if change.is_undone {
                    undone.insert(path);
                    continue;
                }
                if change.is_written {
                    undone.remove(&path);
                }
                if !undone.contains(&path) {
                    states.entry(path).or_default().push(change.known);
                }
            }
        }
        let last = |(path, mut states): (PathBuf, Vec<Known>)| Some((path, states.pop()?));
        Ok(Self(states.into_iter().filter_map(last).collect()))
    }

    /// What is known of a sidecar.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<&Known> {
        self.0.get(path)
    }
}

/// What a run did to a sidecar.
#[derive(Debug)]
pub struct Change {
    /// Whether bytes were written.
    pub is_written: bool,
    /// The bytes before; `None` where there was no file.
    pub before: Option<Digest>,
    /// When these were last changed.
    pub modified: Option<Timestamp>,
    /// What the program knows of it since.
    pub known: Known,
    /// Whether it was taken back.
    pub is_undone: bool,
}

/// By path from the root: what a run did.
///
/// # Errors
/// Its journal cannot be read, or names a path that is `unfit`.
pub fn changes(
    folder: &Path,
    root: &Path,
    run: &str,
    unfit: &Unfit,
) -> Result<BTreeMap<PathBuf, Change>, CurationError> {
    let mut begun: BTreeMap<PathBuf, Change> = BTreeMap::new();
    let mut changes: BTreeMap<PathBuf, Change> = BTreeMap::new();
    for event in journal::events(folder, run, unfit)? {
        match event {
            Event::Run(_) => {}
            Event::Begin { path, before, modified, known } => {
                let is_undone = false;
                let change = Change { is_written: true, before, modified, known, is_undone };
                begun.insert(path, change);
            }
            Event::Done { path } => {
                if let Some(change) = begun.remove(&path) {
                    changes.insert(path, change);
                }
            }
            Event::Kept { path, known } => {
                let before = known.after;
                let (modified, is_undone) = (None, false);
                let change = Change { is_written: false, before, modified, known, is_undone };
                changes.insert(path, change);
            }
            Event::Undone { path } => {
                if let Some(change) = changes.get_mut(&path) {
                    change.is_undone = true;
                }
            }
        }
    }
    // A crash between the write and its line: the file itself says whether it was written.
    for (path, change) in begun {
        let file = beneath::resolve(root, &path).and_then(|file| beneath::read(&file));
        let now = file.ok().flatten().map(|bytes| Digest::of_bytes(&bytes));
        if now == change.known.after && now != change.before {
            changes.insert(path, change);
        }
    }
    Ok(changes)
}
