//! The log as it lies there: whole lines that follow on one another.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use base::{Digest, DigestBuilder};

use super::{Decisions, ENDING, Event, REVIEWS, fold, unfit};
use crate::{CurationError, FOLDER, beneath, journal};

/// A line longer than this is nobody's words.
const MAX_LINE: usize = 1 << 20;
/// More sessions than this are nobody's.
const MAX_FILES: usize = 100_000;

/// All events of a log.
#[derive(Debug, Default)]
pub struct Log {
    /// By time, then by id; each id once.
    pub events: Vec<Event>,
    /// Where files are not what was written. What stands before still counts.
    pub breaks: Vec<Break>,
}

/// A place of a session's file from which on it is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The file.
    pub file: PathBuf,
    /// 1-based; 0 where none of the file counts.
    pub line: u64,
    /// What is wrong.
    pub why: String,
}

impl Log {
    /// What all that was said comes to.
    #[must_use]
    pub fn decisions(&self) -> Decisions {
        fold::fold(&self.events)
    }

    /// With titles named by their whole paths, where the log lies in this folder.
    #[must_use]
    pub fn beneath(mut self, folder: &Path) -> Self {
        for event in &mut self.events {
            let path = folder.join(&event.words.title);
            event.words.title = path.to_string_lossy().into_owned();
        }
        self
    }

    /// Takes another log's events in.
    pub fn join(&mut self, other: Self) {
        self.events.extend(other.events);
        self.breaks.extend(other.breaks);
        in_order(&mut self.events);
    }
}

/// Whether there is a log beneath `root`, or something in its place.
#[must_use]
pub fn is_there(root: &Path) -> bool {
    fs::symlink_metadata(root.join(FOLDER).join(REVIEWS)).is_ok()
}

/// Reads the log of the titles beneath `root`, or of the catalog that lies in it; nothing where
/// there is none. A last line without an end, which a crash cut off, is passed over.
///
/// # Errors
/// Its folder cannot be read, or is a link.
pub fn read(root: &Path) -> Result<Log, CurationError> {
    let mut log = Log::default();
    let paths = sessions(root)?;
    for path in paths.iter().take(MAX_FILES) {
        let bytes = match beneath::read(path) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => {
                log.breaks.push(Break { file: path.clone(), line: 0, why: error.to_string() });
                continue;
            }
        };
        let (events, broken) = events(&bytes);
        log.events.extend(events);
        let of_file = |(line, why)| Break { file: path.clone(), line, why };
        log.breaks.extend(broken.map(of_file));
    }
    if let Some(file) = paths.get(MAX_FILES) {
        let why = format!("there are more than {MAX_FILES} sessions");
        log.breaks.push(Break { file: file.clone(), line: 0, why });
    }
    in_order(&mut log.events);
    Ok(log)
}

/// Digest of a log's files; `None` where there are none.
///
/// # Errors
/// As [`read`].
pub fn digest(root: &Path) -> Result<Option<Digest>, CurationError> {
    let paths = sessions(root)?;
    let mut digest = DigestBuilder::new();
    for path in &paths {
        digest = digest.part(path.file_name().unwrap_or_default().as_encoded_bytes());
        // What cannot be read counts for nothing, as in the log itself.
        digest = digest.part(beneath::read(path).ok().flatten().unwrap_or_default());
    }
    Ok((!paths.is_empty()).then(|| digest.finish()))
}

/// The sessions' files, by name.
fn sessions(root: &Path) -> Result<Vec<PathBuf>, CurationError> {
    let folder = journal::own_folder(&root.join(FOLDER), REVIEWS, false)?;
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CurationError::file(folder)(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(CurationError::file(&folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(ENDING) && !name.starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The events of a file, and from which line on it is not what was written.
pub(super) fn events(bytes: &[u8]) -> (Vec<Event>, Option<(u64, String)>) {
    let mut events = Vec::new();
    let mut prev = None;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    for (number, line) in (1..).zip(bytes[..whole].split_inclusive(|&byte| byte == b'\n')) {
        let line = &line[..line.len() - 1];
        match event(line, prev) {
            Ok(event) => events.push(event),
            Err(why) => return (events, Some((number, why))),
        }
        prev = Some(Digest::of_bytes(line));
    }
    (events, None)
}

fn event(line: &[u8], prev: Option<Digest>) -> Result<Event, String> {
    if line.len() > MAX_LINE {
        return Err(format!("the line has more than {MAX_LINE} bytes"));
    }
    let event: Event =
        serde_json::from_slice(line).map_err(|error| format!("it is no event ({error})"))?;
    if event.prev != prev {
        return Err(
            "it does not follow on the line before, which was changed or taken out".to_owned()
        );
    }
    if event.event.is_empty() || event.event.len() > 200 {
        return Err("its id is none".to_owned());
    }
    unfit(&event.words).map_or(Ok(event), |why| Err(why.to_owned()))
}

/// By time and id, whatever file they stand in; of one id the first. A file that was copied counts
/// once.
fn in_order(events: &mut Vec<Event>) {
    let line = |event: &Event| serde_json::to_string(event).unwrap_or_default();
    events.sort_by(|a, b| {
        let by_time = a.words.at.cmp(&b.words.at).then_with(|| a.event.cmp(&b.event));
        by_time.then_with(|| line(a).cmp(&line(b)))
    });
    let mut known = HashSet::new();
    events.retain(|event| known.insert(event.event.clone()));
}
