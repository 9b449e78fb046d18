//! Content digests of source files, remembered so that unchanged files are not read again.
//!
//! in: paths and texts; out: their digests, the keys of the store.
//! One JSON line per file in `sources.jsonl`, valid for as long as size, times and inode
//! stay what they were. It is a cache: lines that cannot be read are passed over, and
//! deleting it costs reading the files once more.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use base::{Digest, file, publish_bytes};
use serde::{Deserialize, Serialize};

use super::StoreError;

const FILE_NAME: &str = "sources.jsonl";

/// A file changed less than so long ago may change again within the same tick of the file
/// system's clock; its digest is not remembered (git calls this a racy entry). 2 s is
/// FAT's tick, the coarsest there is.
const RACY_NS: i64 = 2_000_000_000;

/// The file is rewritten once it has so many lines that count no more.
const MAX_STALE_LINES: usize = 10_000;

/// What tells a changed file from an unchanged one without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    mtime_ns: i64,
    /// Catches changes by tools that set the time of change back.
    ctime_ns: i64,
    inode: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    path: String,
    #[serde(flatten)]
    stamp: Stamp,
    digest: Digest,
}

#[derive(Debug)]
struct State {
    known: HashMap<PathBuf, (Stamp, Digest)>,
    /// Opened for appending with the first new digest.
    file: Option<File>,
}

/// Digests of source files. Usable from several threads and processes at once.
#[derive(Debug)]
pub struct SourceDigests {
    path: PathBuf,
    state: Mutex<State>,
}

/// The key of a source that is text.
#[must_use]
pub fn digest_of_text(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

impl SourceDigests {
    /// Reads what is remembered in `folder`; nothing where the file is not there.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        let bytes = match file::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(StoreError::io(path)(e)),
        };
        let (mut known, mut num_lines) = (HashMap::new(), 0);
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            num_lines += 1;
            if let Ok(line) = serde_json::from_slice::<Line>(line) {
                known.insert(PathBuf::from(line.path), (line.stamp, line.digest));
            }
        }
        if num_lines > known.len() + MAX_STALE_LINES {
            known.retain(|path, _| !is_gone(path));
            let mut lines: Vec<_> = known.iter().filter_map(|(p, e)| to_line(p, *e)).collect();
            lines.sort();
            // Should another process add a line just now, that file is read once more.
            publish_bytes(&path, lines.concat().as_bytes()).map_err(StoreError::io(&path))?;
        }
        Ok(Self { path, state: Mutex::new(State { known, file: None }) })
    }

    /// Digest of a file's content, from memory where the file did not change since.
    ///
    /// # Errors
    /// The file cannot be read, or Ctrl-C came ([`file::is_interrupt`]). That a digest cannot be remembered is no error.
    pub fn digest_of_file(&self, path: &Path) -> io::Result<Digest> {
        let absolute = std::path::absolute(path)?;
        let file = file::open(path)?;
        let before = Stamp::of(&file.metadata()?);
        if let Some((stamp, digest)) = self.state().known.get(&absolute)
            && *stamp == before
        {
            return Ok(*digest);
        }
        let digest = Digest::of_reader(file::Interruptible(&file))?;
        let metadata = file.metadata()?;
        let after = Stamp::of(&metadata);
        if before == after && !after.is_racy() {
            self.remember(absolute, (after, digest));
        }
        Ok(digest)
    }

    /// Number of files remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().known.len()
    }

    /// Whether no file is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, path: PathBuf, entry: (Stamp, Digest)) {
        let mut state = self.state();
        if let Some(line) = to_line(&path, entry)
            && let Err(e) = append(&self.path, &mut state.file, &line)
        {
            tracing::debug!("{}: digests are not remembered: {e}", self.path.display());
        }
        state.known.insert(path, entry);
    }
}

/// Whether a file was taken out of a folder that is there: a disk that is not mounted just now takes
/// its folders along.
fn is_gone(path: &Path) -> bool {
    !path.exists() && path.parent().is_some_and(Path::is_dir)
}

/// A line with its end; `None` for a path that is no UTF-8.
fn to_line(path: &Path, (stamp, digest): (Stamp, Digest)) -> Option<String> {
    let line = Line { path: path.to_str()?.to_owned(), stamp, digest };
    serde_json::to_string(&line).ok().map(|json| json + "\n")
}

/// Appends a line in one write. A line that a crash tore off before is ended first, so
/// that it spoils itself only.
fn append(path: &Path, file: &mut Option<File>, line: &str) -> io::Result<()> {
    if let Some(file) = file {
        return file.write_all(line.as_bytes());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut opened = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let mut last = [b'\n'];
    if opened.seek(SeekFrom::End(0))? > 0 {
        opened.seek(SeekFrom::End(-1))?;
        opened.read_exact(&mut last)?;
    }
    let torn = if last == *b"\n" { "" } else { "\n" };
    opened.write_all(format!("{torn}{line}").as_bytes())?;
    *file = Some(opened);
    Ok(())
}

impl Stamp {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let nanos =
            |secs: i64, nanos: i64| secs.saturating_mul(1_000_000_000).saturating_add(nanos);
        Self {
            size: metadata.len(),
            mtime_ns: nanos(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanos(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().map_or(0, nanos_from_time);
        Self { size: metadata.len(), mtime_ns: modified, ctime_ns: modified, inode: 0 }
    }

    /// Changed too short a time ago, or in the future.
    fn is_racy(&self) -> bool {
        nanos_from_time(SystemTime::now()) < self.ctime_ns.saturating_add(RACY_NS)
    }
}

fn nanos_from_time(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that was changed long enough ago. The change of its inode is not, so the
    /// cache is told of a time of change that is.
    fn remembered(digests: &SourceDigests, path: &Path) -> Digest {
        let digest = digests.digest_of_file(path).unwrap();
        let stamp = Stamp::of(&fs::metadata(path).unwrap());
        digests.remember(std::path::absolute(path).unwrap(), (stamp, digest));
        digest
    }

    #[test]
    fn a_fresh_file_is_read_each_time_and_an_old_one_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trailer.mp4");
        fs::write(&path, "one").unwrap();
        let store = folder.path().join("v1");
        let digests = SourceDigests::open(&store).unwrap();
        assert_eq!(digests.digest_of_file(&path).unwrap(), Digest::of_bytes(b"one"));
        assert!(digests.is_empty(), "a file that may change within the tick");
        remembered(&digests, &path);
        assert_eq!(SourceDigests::open(&store).unwrap().len(), 1);
        // What is remembered is what is answered: here a wrong digest shows it.
        let stamp = Stamp::of(&fs::metadata(&path).unwrap());
        let wrong = Digest::of_bytes(b"wrong");
        digests.remember(std::path::absolute(&path).unwrap(), (stamp, wrong));
        let reopened = SourceDigests::open(&store).unwrap();
        assert_eq!(reopened.digest_of_file(&path).unwrap(), wrong);
        assert_eq!(reopened.len(), 1);
    }

    #[test]
    fn a_changed_file_is_read_again_even_with_its_times_set_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trailer.mp4");
        fs::write(&path, "one").unwrap();
        let digests = SourceDigests::open(folder.path()).unwrap();
        remembered(&digests, &path);
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let ctime = Stamp::of(&fs::metadata(&path).unwrap()).ctime_ns;
        // The clock of the file system ticks slowly: write until it shows.
        while Stamp::of(&fs::metadata(&path).unwrap()).ctime_ns == ctime {
            fs::write(&path, "two").unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        }
        assert_eq!(digests.digest_of_file(&path).unwrap(), Digest::of_bytes(b"two"));
    }

    #[test]
    fn torn_and_foreign_lines_cost_themselves_only() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
        for path in &paths {
            fs::write(path, path.to_str().unwrap()).unwrap();
        }
        let digests = SourceDigests::open(folder.path()).unwrap();
        remembered(&digests, &paths[0]);
        remembered(&digests, &paths[1]);
        let log = folder.path().join(FILE_NAME);
        let bytes = fs::read(&log).unwrap();
        fs::write(&log, &bytes[..bytes.len() - 20]).unwrap();
        let digests = SourceDigests::open(folder.path()).unwrap();
        assert_eq!(digests.len(), 1);
        remembered(&digests, &paths[2]);
        let known = SourceDigests::open(folder.path()).unwrap();
        let names: Vec<_> = paths.iter().map(|p| known.state().known.contains_key(p)).collect();
        assert_eq!(names, [true, false, true]);
    }

    #[test]
    fn stale_lines_are_dropped_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "a").unwrap();
        let digests = SourceDigests::open(folder.path()).unwrap();
        remembered(&digests, &path);
        let log = folder.path().join(FILE_NAME);
        let line = fs::read_to_string(&log).unwrap();
        let path = path.to_str().unwrap();
        let elsewhere = line.replace(path, &format!("{path}.unmounted/b"));
        let gone = line.replace(path, &format!("{path}.gone"));
        fs::write(&log, line.repeat(MAX_STALE_LINES + 2) + &gone + &elsewhere).unwrap();
        assert_eq!(SourceDigests::open(folder.path()).unwrap().len(), 2);
        assert_eq!(fs::read_to_string(&log).unwrap(), line + &elsewhere);
    }

    #[test]
    fn a_file_that_is_not_there_is_the_callers_to_judge() {
        let folder = tempfile::tempdir().unwrap();
        let digests = SourceDigests::open(folder.path()).unwrap();
        let error = digests.digest_of_file(&folder.path().join("nowhere")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
