//! Writing sidecars, title by title.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use base::{Digest, replace_bytes};
use curation::{
    Known,
    journal::{Event, Journal},
};
use diffy::DiffOptions;
use jiff::Timestamp;

use super::{Memory, RunHeader, memory};
use crate::{
    TagSink, WriteError,
    format::{Existing, FilmIds, NewNfo, TagFormat, Tagged, Update, registry},
    xml_text,
};

/// Where a title's sidecar lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file that is written, from the root.
    pub target: PathBuf,
    /// The file that is read where the target is not there yet: the library's own, where the
    /// tree is a parallel one.
    pub origin: Option<PathBuf>,
    /// What the film is looked up by.
    pub ids: FilmIds,
}

/// What became of the sidecars.
#[derive(Debug, Default)]
pub struct SidecarReport {
    /// The run, where anything was written: what `undo` asks for.
    pub run: Option<String>,
    /// Files that were not there before.
    pub num_new: usize,
    /// Files that were changed.
    pub num_changed: usize,
    /// Titles whose inputs are those of an earlier run: not looked at.
    pub num_unchanged: usize,
    /// Files that say already what they should.
    pub num_same: usize,
    /// When NFO files were to be made.
    pub new_nfo: NewNfo,
    /// Those that were not made.
    pub num_not_made: usize,
    /// Files that were left alone, by path from the root: why.
    pub left: BTreeMap<PathBuf, String>,
    /// Files that could not be read or written: why. They are what they were.
    pub failed: BTreeMap<PathBuf, String>,
}

/// Writes sidecars below a root.
pub struct SidecarWriter<'a> {
    root: PathBuf,
    format: &'static dyn TagFormat,
    places: Vec<Place>,
    memory: Memory,
    journal: Journal,
    /// Told the differences instead of writing.
    dry_run: Option<&'a dyn Fn(String)>,
    report: SidecarReport,
}

impl<'a> SidecarWriter<'a> {
    /// A writer; `places[i]` is that of the i-th title. With `dry_run`, differences are told
    /// and nothing is written.
    ///
    /// # Errors
    /// What is remembered of the tree cannot be read.
    pub fn new(
        root: &Path,
        format: &'static dyn TagFormat,
        places: Vec<Place>,
        header: RunHeader,
        dry_run: Option<&'a dyn Fn(String)>,
    ) -> Result<Self, WriteError> {
        Ok(Self {
            root: root.to_owned(),
            format,
            places,
            memory: memory(root)?,
            journal: Journal::new(root, header),
            dry_run,
            report: SidecarReport::default(),
        })
    }

    /// Says when NFO files are made where there are none; always, unless this is called.
    #[must_use]
    pub fn making(mut self, new_nfo: NewNfo) -> Self {
        self.report.new_nfo = new_nfo;
        self
    }

    /// What became of them all.
    #[must_use]
    pub fn finish(mut self) -> SidecarReport {
        self.report.run = self.journal.run().map(str::to_owned);
        self.report
    }

    /// One sidecar; an error of a file is this file's alone.
    fn update(&mut self, idx: usize, tagged: Tagged<'_>, inputs: Digest) -> Result<(), WriteError> {
        let place = self.places[idx].clone();
        let path = match self.resolve(&place) {
            Ok(path) => path,
            Err(e) if curation::is_outside(&e) => {
                self.report.left.insert(place.target, e.to_string());
                return Ok(());
            }
            Err(e) => return self.failed(place.target, &e),
        };
        let current = match path.as_deref().map(curation::read).transpose() {
            Ok(current) => current.flatten(),
            Err(e) => return self.failed(place.target, &e),
        };
        let origin = match (&current, &place.origin) {
            (None, Some(origin)) => {
                match fs::canonicalize(origin).map_or(Ok(None), |path| curation::read(&path)) {
                    Ok(bytes) => bytes,
                    Err(e) => return self.failed(place.target, &e),
                }
            }
            _ => None,
        };
        let known = self.memory.get(&place.target);
        let is_as_written =
            current.as_deref().map(Digest::of_bytes) == known.and_then(|known| known.after);
        let existing = Existing {
            bytes: current.as_deref().or(origin.as_deref()),
            is_as_written,
            given: known.map_or(&[], |known| &known.given),
            removed: known.map_or(&[], |known| &known.removed),
            tagged_at: known.and_then(|known| known.tagged_at),
            ids: Some(&place.ids),
        };
        let is_new = existing.bytes.is_none() && existing.given.is_empty();
        let is_nfo = self.format.name() == registry::SIDECAR.name();
        if is_new
            && is_nfo
            && !tagged.tags.genres.is_empty()
            && !self.report.new_nfo.makes(&place.ids)
        {
            self.report.num_not_made += 1;
            return Ok(());
        }
        let (bytes, given, removed) = match self.format.update(tagged, existing)? {
            Update::Write { bytes, given, removed } => (bytes, given, removed),
            Update::Leave { reason } => {
                self.report.left.insert(place.target, reason);
                return Ok(());
            }
        };
        let is_same = current.as_deref() == Some(bytes.as_slice());
        if let Some((modality, reason)) = tagged.tags.unread()
            && !(existing.given.is_empty() || is_same)
        {
            // They were made from more than can be seen now.
            let reason = format!("tags stay, since {modality} cannot be read now ({reason})");
            self.report.left.insert(place.target, reason);
            return Ok(());
        }
        if let (Some(tell), false) = (self.dry_run, is_same) {
            tell(difference(&place.target, current.as_deref(), &bytes));
        }
        let after = Some(Digest::of_bytes(&bytes));
        let tagged_at = tagged.tags.tagged_at;
        let new = Known { inputs, after, given, removed, tagged_at };
        if is_same {
            self.report.num_same += 1;
            let tagged_at = known.and_then(|known| known.tagged_at).or(tagged_at);
            let new = Known { tagged_at, ..new };
            if self.dry_run.is_none() && known != Some(&new) {
                self.journal.append(&Event::Kept { path: place.target, known: new })?;
            }
            return Ok(());
        }
        if self.dry_run.is_none()
            && let Some(path) = &path
        {
            let before = current.as_deref().map(|bytes| self.journal.keep(bytes)).transpose()?;
            let modified = fs::metadata(path).and_then(|found| found.modified()).ok();
            let modified = modified.and_then(|time| Timestamp::try_from(time).ok());
            let target = place.target.clone();
            self.journal.append(&Event::Begin { path: target, before, modified, known: new })?;
            // Somebody may have saved it while the film was looked at.
            let written = match curation::read(path) {
                Ok(now) if now == current => replace_bytes(path, &bytes),
                Ok(_) => Err(io::Error::other("it was changed a moment ago")),
                Err(e) => Err(e),
            };
            if let Err(error) = written {
                return self.failed(place.target, &error);
            }
            self.journal.append(&Event::Done { path: place.target })?;
        }
        match current {
            Some(_) => self.report.num_changed += 1,
            None => self.report.num_new += 1,
        }
        Ok(())
    }

    /// The file of a place; `None` where nothing is written and its folder is not there.
    fn resolve(&self, place: &Place) -> io::Result<Option<PathBuf>> {
        // A tree of its own has the library's folders.
        if place.origin.is_some() && self.dry_run.is_none() {
            curation::make_folders(&self.root, &place.target)?;
        }
        match curation::resolve(&self.root, &place.target) {
            Ok(path) => Ok(Some(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.dry_run.is_some() => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    #[allow(clippy::unnecessary_wraps)] // what the caller gives back
    fn failed(&mut self, path: PathBuf, error: &io::Error) -> Result<(), WriteError> {
        self.report.failed.insert(path, error.to_string());
        Ok(())
    }
}

impl TagSink for SidecarWriter<'_> {
    fn wants(&mut self, idx: usize, inputs: &Digest) -> bool {
        let known = self.memory.get(&self.places[idx].target);
        let is_unchanged = known.is_some_and(|known| known.inputs == *inputs);
        self.report.num_unchanged += usize::from(is_unchanged);
        !is_unchanged
    }

    fn write(&mut self, idx: usize, tagged: Tagged<'_>, inputs: Digest) -> Result<(), WriteError> {
        self.update(idx, tagged, inputs)
    }
}

/// A unified diff.
fn difference(path: &Path, old: Option<&[u8]>, new: &[u8]) -> String {
    let (before, after) = (xml_text::decode(old.unwrap_or_default()), xml_text::decode(new));
    let name = path.display().to_string();
    let from = if old.is_some() { name.as_str() } else { "/dev/null" };
    let patch = DiffOptions::new().set_context_len(2).create_patch(&before, &after).to_string();
    // Its own two lines on top would quote the names.
    let hunks = patch.find("@@").map_or("", |at| &patch[at..]);
    format!("--- {from}\n+++ {name}\n{hunks}")
}
