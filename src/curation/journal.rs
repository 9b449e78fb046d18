//! The journal of a tree: what each run changed, with the bytes before.
//!
//! `.cinetag/runs/<run>.jsonl`: one JSON object a line, appended and synced before the file
//! is touched, and again after. `.cinetag/before/<sha-256>`: what was there. A run that changes
//! nothing leaves no file.
//!
//! A library may come from elsewhere with a journal in it: nothing here is trusted. Folders and
//! files that are links are refused, paths must be a sidecar's beneath the root, and bytes have
//! the digest that they are kept under.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use base::{Digest, own_like_folder, publish_bytes};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CurationError, beneath};

/// The folder of journal and before-images, at the root of the tree.
pub const FOLDER: &str = ".cinetag";
const RUNS: &str = "runs";
const IMAGES: &str = "before";
const ENDING: &str = ".jsonl";

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
    /// The bundle, as `--bundle` takes it: a name that the program brings along, or its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<PathBuf>,
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
pub enum Event {
    /// The first line.
    Run(RunHeader),
    /// The file is about to be written.
    Begin {
        /// From the root.
        path: PathBuf,
        /// Its bytes before, by digest; `None` where there was no file.
        before: Option<Digest>,
        /// When these were last changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        modified: Option<Timestamp>,
        /// What will be known of it.
        #[serde(flatten)]
        known: Known,
    },
    /// It was written.
    Done {
        /// From the root.
        path: PathBuf,
    },
    /// It was looked at and had not to be changed.
    Kept {
        /// From the root.
        path: PathBuf,
        /// What is known of it.
        #[serde(flatten)]
        known: Known,
    },
    /// What the run did to it was taken back.
    Undone {
        /// From the root.
        path: PathBuf,
    },
}

impl Event {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Run(_) => None,
            Self::Begin { path, .. }
            | Self::Done { path }
            | Self::Kept { path, .. }
            | Self::Undone { path } => Some(path),
        }
    }
}

/// The journal of one run.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    header: RunHeader,
    /// Opened for appending with the first event.
    open: Option<(String, File)>,
}

impl Journal {
    /// A journal of a new run; nothing is written yet.
    pub fn new(root: &Path, header: RunHeader) -> Self {
        Self { folder: root.join(FOLDER), header, open: None }
    }

    /// The run's name, where it has changed anything.
    pub fn run(&self) -> Option<&str> {
        self.open.as_ref().map(|(run, _)| run.as_str())
    }

    /// Appends an event and syncs it to the disk.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn append(&mut self, event: &Event) -> Result<(), CurationError> {
        if self.open.is_none() {
            let run = new_run(&self.folder, self.header.began)?;
            let mut file = open(&self.folder, &run)?;
            write(&mut file, &Event::Run(self.header.clone()))
                .map_err(CurationError::file(&self.folder))?;
            self.open = Some((run, file));
        }
        let Some((_, file)) = &mut self.open else { return Ok(()) };
        write(file, event).map_err(CurationError::file(&self.folder))
    }

    /// Keeps a file's bytes, once.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn keep(&self, bytes: &[u8]) -> Result<Digest, CurationError> {
        keep(&self.folder, bytes)
    }
}

/// Keeps bytes below `folder`, once.
///
/// # Errors
/// They cannot be written, or the folder is a link.
pub fn keep(folder: &Path, bytes: &[u8]) -> Result<Digest, CurationError> {
    let digest = Digest::of_bytes(bytes);
    let images = own_folder(folder, IMAGES, true)?;
    let path = images.join(digest.to_string());
    if !beneath::read(&path).is_ok_and(|kept| kept.as_deref() == Some(bytes)) {
        publish_bytes(&path, bytes).map_err(CurationError::file(&path))?;
        own_like_folder(&path);
    }
    Ok(digest)
}

/// The bytes that were kept under a digest.
///
/// # Errors
/// They are not there, or are not those that were kept.
pub fn image(folder: &Path, digest: &Digest) -> Result<Vec<u8>, CurationError> {
    let path = own_folder(folder, IMAGES, false)?.join(digest.to_string());
    let kept = beneath::read(&path).map_err(CurationError::file(&path))?;
    kept.filter(|bytes| Digest::of_bytes(bytes) == *digest).ok_or_else(|| {
        CurationError::file(path)(io::Error::other("it is not what was kept under its name"))
    })
}

/// A folder of the journal, which must be no link.
pub(crate) fn own_folder(folder: &Path, name: &str, make: bool) -> Result<PathBuf, CurationError> {
    let path = folder.join(name);
    for part in [folder, &path] {
        match fs::symlink_metadata(part) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let error = io::Error::other("it is no folder, so it is no journal of cinetag's");
                return Err(CurationError::file(part)(error));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && make => {
                make_folder(part).map_err(CurationError::file(part))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(CurationError::file(part)(error)),
        }
    }
    Ok(path)
}

/// Makes a folder, which somebody else may make at the same moment.
fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => own_like_folder(path),
        Err(_) if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Appends an event to the journal of an earlier run.
///
/// # Errors
/// The journal cannot be written.
pub fn append_to(folder: &Path, run: &str, event: &Event) -> Result<(), CurationError> {
    let mut file = open(folder, run)?;
    write(&mut file, event).map_err(CurationError::file(folder))
}

/// All runs of a tree, oldest first.
///
/// # Errors
/// The folder cannot be read, or is a link.
pub fn runs(folder: &Path) -> Result<Vec<String>, CurationError> {
    let path = own_folder(folder, RUNS, false)?;
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(CurationError::file(path)(e)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let name = entry.map_err(CurationError::file(&path))?.file_name();
        runs.extend(name.to_str().and_then(|name| name.strip_suffix(ENDING)).map(str::to_owned));
    }
    runs.sort();
    Ok(runs)
}

/// Why a path cannot be one of a journal, if so.
pub type Unfit = dyn Fn(&Path) -> Option<&'static str>;

/// The events of a run. A last line that a crash cut off is passed over.
///
/// # Errors
/// The journal cannot be read, or names a path that is `unfit`.
pub fn events(folder: &Path, run: &str, unfit: &Unfit) -> Result<Vec<Event>, CurationError> {
    let (path, bytes) = run_bytes(folder, run)?;
    let refused = |number: usize, error: String| {
        let line = io::Error::other(format!("line {}: {error}", number + 1));
        CurationError::file(&path)(line)
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut events = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let event: Event = match serde_json::from_str(line) {
            Ok(event) => event,
            Err(_) if !text.ends_with('\n') => break,
            Err(error) => return Err(refused(number, error.to_string())),
        };
        if let Some((path, why)) = event.path().and_then(|path| Some((path, unfit(path)?))) {
            let path = path.display();
            let mend =
                "cinetag did not write this: move `.cinetag` away, and nothing can be undone";
            return Err(refused(number, format!("{path}: {why}; {mend}")));
        }
        events.push(event);
    }
    Ok(events)
}

/// What the last run of a tree was, also one that was undone.
///
/// # Errors
/// The journal cannot be read.
pub fn last_header(folder: &Path) -> Result<Option<RunHeader>, CurationError> {
    let Some(run) = runs(folder)?.pop() else { return Ok(None) };
    let (_, bytes) = run_bytes(folder, &run)?;
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    Ok(match serde_json::from_slice(first) {
        Ok(Event::Run(header)) => Some(header),
        _ => None,
    })
}

/// The journal of a run, and where it lies.
fn run_bytes(folder: &Path, run: &str) -> Result<(PathBuf, Vec<u8>), CurationError> {
    let path = own_folder(folder, RUNS, false)?.join(format!("{run}{ENDING}"));
    let bytes = beneath::read(&path).map_err(CurationError::file(&path))?.unwrap_or_default();
    Ok((path, bytes))
}

/// A name by the time, later than all names that are there.
fn new_run(folder: &Path, began: Timestamp) -> Result<String, CurationError> {
    let now = began.strftime("%Y%m%d-%H%M%S").to_string();
    let Some(last) = runs(folder)?.pop().filter(|last| *last >= now) else { return Ok(now) };
    let (base, number) = match last.split_at_checked(now.len()) {
        Some((base, suffix)) => (base, suffix.trim_start_matches('-').parse().unwrap_or(1)),
        None => (last.as_str(), 1),
    };
    Ok(format!("{base}-{:03}", number + 1))
}

fn open(folder: &Path, run: &str) -> Result<File, CurationError> {
    let path = own_folder(folder, RUNS, true)?.join(format!("{run}{ENDING}"));
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let mut options = OpenOptions::new();
    options.create(true).append(true).custom_flags(no_link);
    let file = options.open(&path).map_err(CurationError::file(&path))?;
    own_like_folder(&path);
    Ok(file)
}

fn write(file: &mut File, event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}
