//! The journal of a tree: what each run changed, with the bytes before.
//!
//! `.cinetag/runs/<run>.jsonl`: one JSON object a line, appended and synced before the file
//! is touched, and again after. `.cinetag/before/<sha-256>`: what was there. A run that changes
//! nothing leaves no file.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    base::{Digest, publish_bytes},
    tag::TagError,
};

/// The folder of journal and before-images, at the root of the tree.
pub const FOLDER: &str = ".cinetag";

/// What a run was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// When it began.
    pub began: Timestamp,
    /// Version of the program.
    pub cinetag: String,
    /// Bundle name and the start of its digest.
    pub model: String,
    /// The sidecars' format.
    pub format: String,
}

/// What the program knows of a sidecar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Digest of all that the tags were made from.
    pub inputs: Digest,
    /// Digest of the file's bytes; `None` where there is no file.
    pub after: Option<Digest>,
    /// The genres that the program gave.
    pub given: Vec<String>,
    /// Those that somebody took out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// When the tags were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagged_at: Option<Timestamp>,
}

/// A line of the journal. Paths are relative to the root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    /// The first line.
    Run(RunHeader),
    /// The file is about to be written.
    Begin {
        path: PathBuf,
        /// Its bytes before, by digest; `None` where there was no file.
        before: Option<Digest>,
        #[serde(flatten)]
        known: Known,
    },
    /// It was written.
    Done { path: PathBuf },
    /// It was looked at and had not to be changed.
    Kept {
        path: PathBuf,
        #[serde(flatten)]
        known: Known,
    },
    /// What the run did to it was taken back.
    Undone { path: PathBuf },
}

/// The journal of one run.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    header: RunHeader,
    /// Opened for appending with the first event.
    open: Option<(String, File)>,
}

impl Journal {
    /// A journal of a new run; nothing is written yet.
    pub(super) fn new(root: &Path, header: RunHeader) -> Self {
        Self { folder: root.join(FOLDER), header, open: None }
    }

    /// The run's name, where it has changed anything.
    pub(super) fn run(&self) -> Option<&str> {
        self.open.as_ref().map(|(run, _)| run.as_str())
    }

    /// Appends an event and syncs it to the disk.
    pub(super) fn append(&mut self, event: &Event) -> Result<(), TagError> {
        if self.open.is_none() {
            let run = new_run(&self.folder, self.header.began)?;
            let mut file = open(&self.folder, &run)?;
            let path = run_file(&self.folder, &run);
            write(&mut file, &Event::Run(self.header.clone())).map_err(TagError::file(path))?;
            self.open = Some((run, file));
        }
        let Some((run, file)) = &mut self.open else { return Ok(()) };
        write(file, event).map_err(TagError::file(run_file(&self.folder, run)))
    }

    /// Keeps a file's bytes, once.
    pub(super) fn keep(&self, bytes: &[u8]) -> Result<Digest, TagError> {
        keep(&self.folder, bytes)
    }
}

/// Keeps bytes below `folder`, once.
pub(super) fn keep(folder: &Path, bytes: &[u8]) -> Result<Digest, TagError> {
    let digest = Digest::of_bytes(bytes);
    let path = image(folder, &digest);
    if !path.exists() {
        publish_bytes(&path, bytes).map_err(TagError::file(path))?;
    }
    Ok(digest)
}

/// Where the bytes with a digest are kept.
pub(super) fn image(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join("before").join(digest.to_string())
}

/// Appends an event to the journal of an earlier run.
pub(super) fn append_to(folder: &Path, run: &str, event: &Event) -> Result<(), TagError> {
    let mut file = open(folder, run)?;
    write(&mut file, event).map_err(TagError::file(run_file(folder, run)))
}

/// All runs of a tree, oldest first.
pub(super) fn runs(folder: &Path) -> Result<Vec<String>, TagError> {
    let path = folder.join("runs");
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(TagError::file(path)(e)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let name = entry.map_err(TagError::file(&path))?.file_name();
        runs.extend(name.to_str().and_then(|name| name.strip_suffix(".jsonl")).map(str::to_owned));
    }
    runs.sort();
    Ok(runs)
}

/// The events of a run. A last line that a crash cut off is passed over.
pub(super) fn events(folder: &Path, run: &str) -> Result<Vec<Event>, TagError> {
    let path = run_file(folder, run);
    let text = fs::read_to_string(&path).map_err(TagError::file(&path))?;
    let mut events = Vec::new();
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(event) => events.push(event),
            Err(_) if !text.ends_with('\n') => break,
            Err(error) => return Err(TagError::file(path)(error.into())),
        }
    }
    Ok(events)
}

fn run_file(folder: &Path, run: &str) -> PathBuf {
    folder.join("runs").join(format!("{run}.jsonl"))
}

/// A name by the time, later than all names that are there.
fn new_run(folder: &Path, began: Timestamp) -> Result<String, TagError> {
    let now = began.strftime("%Y%m%d-%H%M%S").to_string();
    let Some(last) = runs(folder)?.pop().filter(|last| *last >= now) else { return Ok(now) };
    let (base, number) = match last.split_at_checked(now.len()) {
        Some((base, suffix)) => (base, suffix.trim_start_matches('-').parse().unwrap_or(1)),
        None => (last.as_str(), 1),
    };
    Ok(format!("{base}-{:03}", number + 1))
}

fn open(folder: &Path, run: &str) -> Result<File, TagError> {
    let path = run_file(folder, run);
    let parent = folder.join("runs");
    fs::create_dir_all(&parent).map_err(TagError::file(parent))?;
    OpenOptions::new().create(true).append(true).open(&path).map_err(TagError::file(path))
}

fn write(file: &mut File, event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}
