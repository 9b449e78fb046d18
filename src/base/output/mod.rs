//! Files and folders that a person names for what is made.
//!
//! in: paths of a command line or pipeline; out: claims, taken before anything is computed, and
//! through them files that are whole or not there. An output is never an input, no two outputs are
//! one file, and nothing is replaced but what this program made and nobody changed since
//! (`ledger`), unless the person asks for it. Links are written through. A device or a pipe
//! (`/dev/stdout`, `>(gzip > tags.gz)`) is written to as it is. No folder is made on a path that
//! does not exist, such as that of a disk that is not mounted.

mod error;
mod ledger;

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, FileType, Metadata},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

pub use error::OutputError;
use ledger::Ledger;
use rustix::fs::{Access, access};

use super::{Digest, Draft};

/// Links that lead to links are followed this often, as Linux does.
const MAX_LINKS: usize = 40;

/// The outputs of one command, and what they must not touch.
#[derive(Debug)]
pub struct Outputs {
    overwrite: bool,
    ledger: Ledger,
    /// What was made, by what else remembers it than the ledger.
    known: HashSet<Digest>,
    inputs: HashSet<FileId>,
    claimed: Vec<Place>,
}

/// One file, whatever its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino() }
    }
}

/// Where a file is, or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    id: Option<FileId>,
}

/// What stood at a path, to be told from what stands there later.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    id: FileId,
    num_bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn at(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { id: FileId::of(&file), num_bytes: file.len(), modified: file.modified().ok() })
    }
}

impl Outputs {
    /// No outputs yet; with `overwrite` they may replace files of others, but never inputs.
    #[must_use]
    pub fn new(overwrite: bool) -> Self {
        let (known, inputs, claimed) = (HashSet::new(), HashSet::new(), Vec::new());
        Self { overwrite, ledger: Ledger::of_user(), known, inputs, claimed }
    }

    /// Says that a file is read, or the files that lie in a folder are. What is not there is none.
    pub fn reads(&mut self, path: &Path) {
        let Ok(found) = fs::metadata(path) else { return };
        if !found.is_dir() {
            self.inputs.insert(FileId::of(&found));
            return;
        }
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if let Ok(found) = fs::metadata(entry.path())
                && found.is_file()
            {
                self.inputs.insert(FileId::of(&found));
            }
        }
    }

    /// Says that a file with this digest was made by this program.
    pub fn knows(&mut self, digest: Digest) {
        self.known.insert(digest);
    }

    /// Remembers files that were written without a claim.
    pub fn made(&mut self, files: impl IntoIterator<Item = (Digest, PathBuf)>) {
        let files: Vec<(Digest, PathBuf)> = files.into_iter().collect();
        self.known.extend(files.iter().map(|(digest, _)| digest));
        let files: Vec<_> = files.iter().map(|(digest, path)| (*digest, path.as_path())).collect();
        self.ledger.add(&files);
    }

    /// Whether a file that this program keeps writing, if it is there, may be replaced.
    ///
    /// # Errors
    /// It was changed since it was written, or is not ours at all.
    pub fn may_replace(&self, path: &Path) -> Result<(), OutputError> {
        match fs::metadata(path) {
            Ok(found) if !self.overwrite && found.is_file() => {
                if self.is_own(path, &found).map_err(OutputError::file(path))? {
                    return Ok(());
                }
                Err(OutputError::refused(path, Why::NotOurs))
            }
            _ => Ok(()),
        }
    }

    /// A file that may be written.
    ///
    /// # Errors
    /// It is an input, another output, somebody else's file, no file at all, or cannot be written.
    pub fn claim(&mut self, path: &Path) -> Result<Claim, OutputError> {
        let refuse = |why| OutputError::refused(path, why);
        let target = match resolve(path)? {
            Target::File(target) => target,
            Target::Handle(target) => return Ok(Claim::stream(path, target)),
        };
        let found = match fs::metadata(&target) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(OutputError::file(path)(error)),
        };
        if let Some(found) = &found
            && is_stream(found.file_type())
        {
            return Ok(Claim::stream(path, target));
        }
        let place = Place { path: target.clone(), id: found.as_ref().map(FileId::of) };
        let is_same = |other: &&Place| {
            other.path == place.path || (other.id.is_some() && other.id == place.id)
        };
        if self.claimed.iter().any(|other| is_same(&other)) {
            return Err(refuse(Why::Twice));
        }
        if let Some(found) = &found {
            self.check(path, &target, found)?;
        } else {
            let folder = target.parent().unwrap_or(Path::new("/"));
            access(folder, Access::WRITE_OK | Access::EXEC_OK)
                .map_err(|error| OutputError::file(path)(error.into()))?;
        }
        self.claimed.push(place);
        let before = found.and_then(|_| Stamp::at(&target));
        Ok(Claim { path: path.to_owned(), target, before, ledger: Some(self.ledger.clone()) })
    }

    /// Whether what stands at `path`, in truth at `target`, may be replaced.
    fn check(&self, path: &Path, target: &Path, found: &Metadata) -> Result<(), OutputError> {
        let refuse = |why| OutputError::refused(path, why);
        if found.is_dir() {
            return Err(refuse(Why::Folder));
        }
        if !found.is_file() {
            return Err(refuse(Why::NoFile));
        }
        if self.inputs.contains(&FileId::of(found)) {
            return Err(refuse(Why::Input));
        }
        access(target, Access::WRITE_OK).map_err(|error| OutputError::file(path)(error.into()))?;
        if !self.overwrite && !self.is_own(target, found).map_err(OutputError::file(path))? {
            return Err(refuse(Why::NotOurs));
        }
        Ok(())
    }

    /// Whether this program made the file as it is. In an empty one nobody has anything to lose
    /// (`mktemp` makes them).
    fn is_own(&self, path: &Path, found: &Metadata) -> io::Result<bool> {
        if found.len() == 0 {
            return Ok(true);
        }
        let digest = Digest::of_file(path)?;
        Ok(self.known.contains(&digest) || self.ledger.holds(&digest))
    }

    /// A folder, made where it is missing, into which these files and, without limit, folders of
    /// these names may be written.
    ///
    /// # Errors
    /// One of the files may not be written, the folder cannot be made, or a folder in it holds
    /// what was not made together with the files.
    pub fn claim_folder<'n>(
        &mut self,
        folder: &Path,
        files: impl IntoIterator<Item = &'n str>,
        folders: &[&str],
    ) -> Result<FolderClaim, OutputError> {
        make_folder(folder)?;
        let files: Vec<Claim> = files
            .into_iter()
            .map(|name| self.claim(&folder.join(name)))
            .collect::<Result<_, _>>()?;
        let is_known = files.iter().any(|claim| claim.before.is_some());
        for name in folders {
            let path = folder.join(name);
            if !is_known && !self.overwrite && !is_empty(&path).map_err(OutputError::file(&path))? {
                return Err(OutputError::refused(&path, Why::NotOurs));
            }
        }
        Ok(FolderClaim { files, ledger: self.ledger.clone() })
    }
}

/// Whether nothing is there, or a folder without entries.
fn is_empty(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Makes a folder of a project, such as `runs/films`: where the path is relative, with its parents,
/// for the working folder is there.
///
/// # Errors
/// As [`make_folder`].
pub fn make_project_folder(path: &Path) -> Result<(), OutputError> {
    let is_plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if let Some(parent) = path.parent()
        && path.components().all(is_plain)
    {
        fs::create_dir_all(parent).map_err(OutputError::file(path))?;
    }
    make_folder(path)
}

/// Makes a folder for outputs, where it is missing. Its parent must be there.
///
/// # Errors
/// Something else stands there, the parent is missing, or the system's error.
pub fn make_folder(path: &Path) -> Result<(), OutputError> {
    if path.is_dir() {
        return Ok(());
    }
    if fs::metadata(path).is_ok() {
        return Err(OutputError::refused(path, Why::NoFolder));
    }
    let failed = OutputError::file(path);
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(OutputError::no_folder(path, path.parent().unwrap_or(path)))
        }
        made => made.map_err(failed),
    }
}

/// What is written to as it comes, and cannot be replaced.
fn is_stream(kind: FileType) -> bool {
    kind.is_char_device() || kind.is_fifo()
}

/// What a path leads to through links.
enum Target {
    /// A file, whether it is there or not; its folder is.
    File(PathBuf),
    /// What this process has open already, such as `/dev/stdout`.
    Handle(PathBuf),
}

fn resolve(path: &Path) -> Result<Target, OutputError> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        let name = target.file_name().ok_or_else(|| OutputError::refused(path, Why::Folder))?;
        let named = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let named = named.unwrap_or(Path::new("."));
        let folder = fs::canonicalize(named).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OutputError::no_folder(path, named),
            _ => OutputError::file(path)(error),
        })?;
        let real = folder.join(name);
        match fs::read_link(&real) {
            Ok(_) if folder == Path::new("/dev") || folder.starts_with("/proc") => {
                return Ok(Target::Handle(real));
            }
            Ok(link) => target = folder.join(link),
            Err(_) => return Ok(Target::File(real)),
        }
    }
    Err(OutputError::file(path)(rustix::io::Errno::LOOP.into()))
}

/// A file that may be written, as [`Outputs::claim`] found it.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    target: PathBuf,
    before: Option<Stamp>,
    /// `None`: a device or pipe, about which nothing is remembered.
    ledger: Option<Ledger>,
}

impl Claim {
    fn stream(path: &Path, target: PathBuf) -> Self {
        Self { path: path.to_owned(), target, before: None, ledger: None }
    }

    /// The path as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins to write it.
    ///
    /// # Errors
    /// The system's error.
    pub fn begin(self) -> io::Result<OutputFile> {
        let draft = self.ledger.is_some().then(|| Draft::begin(&self.target)).transpose()?;
        Ok(OutputFile { claim: self, draft })
    }
}

/// An output in the making. Dropped, it leaves what was there.
#[derive(Debug)]
pub struct OutputFile {
    claim: Claim,
    draft: Option<Draft>,
}

impl OutputFile {
    /// Where to write to.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.draft.as_ref().map_or(&self.claim.target, |draft| draft.path())
    }

    /// Puts the file in place.
    ///
    /// # Errors
    /// The system's error; or somebody put another file there since it was claimed, which then
    /// stays: this one gets a name of its own beside it.
    pub fn publish(self) -> Result<(), OutputError> {
        let (Some(draft), Some(ledger)) = (self.draft, &self.claim.ledger) else { return Ok(()) };
        let Claim { path, target, before, .. } = &self.claim;
        let digest = Digest::of_file(draft.path()).map_err(OutputError::file(path))?;
        if Stamp::at(target) != *before {
            let name = free_name(target);
            ledger.add(&[(digest, &target.with_file_name(&name))]);
            let kept = draft.publish_as(&name).map_err(OutputError::file(path))?;
            return Err(OutputError::Meanwhile { path: path.clone(), kept });
        }
        // First remembered, then put there: killed in between, it is known when it is met again.
        ledger.add(&[(digest, target)]);
        draft.publish().map_err(OutputError::file(path))
    }
}

/// `tags.new.csv`, or with a number where that is taken.
fn free_name(path: &Path) -> String {
    let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let stem = text(path.file_stem());
    let extension = path.extension().map_or_else(String::new, |e| format!(".{}", text(Some(e))));
    let name = |number: usize| match number {
        1 => format!("{stem}.new{extension}"),
        _ => format!("{stem}.new{number}{extension}"),
    };
    let is_free = |name: &String| fs::symlink_metadata(path.with_file_name(name)).is_err();
    let mut number = 1;
    while !is_free(&name(number)) {
        number += 1;
    }
    name(number)
}

/// Files of a folder that may be written. Dropped, it remembers those that were.
#[derive(Debug)]
pub struct FolderClaim {
    files: Vec<Claim>,
    ledger: Ledger,
}

impl Drop for FolderClaim {
    fn drop(&mut self) {
        let made: Vec<(Digest, &Path)> = self
            .files
            .iter()
            .filter(|claim| claim.ledger.is_some() && Stamp::at(&claim.target) != claim.before)
            .filter_map(|claim| Some((Digest::of_file(&claim.target).ok()?, &*claim.target)))
            .collect();
        self.ledger.add(&made);
    }
}

/// Why a path is not written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is read by the same command.
    Input,
    /// Two outputs are one file.
    Twice,
    /// It is there, and this program did not make it as it is.
    NotOurs,
    /// A folder stands there.
    Folder,
    /// A folder is wanted, and something else stands there.
    NoFolder,
    /// Its folder is replaced as a whole, and it is not of what was made there.
    GoneWithFolder,
    /// Something stands there that is neither file, device nor pipe.
    NoFile,
}

#[cfg(test)]
mod tests;
