//! What this program made: the digests of its outputs, in the user's state folder.
//!
//! `outputs.sha256` has a line for each file, as `sha256sum` writes them. It is one list for all
//! folders, so that a file which is moved or copied is still known. A file that was changed by
//! somebody has another digest and is theirs.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::super::Digest;

const FILE: &str = "outputs.sha256";
/// Names another folder for the list.
const FOLDER_VARIABLE: &str = "CINETAG_STATE";
/// A longer list loses its older half. About 50,000 files.
const MAX_BYTES: u64 = 8 << 20;

/// The list.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    path: Option<PathBuf>,
}

impl Ledger {
    /// The user's, in `$CINETAG_STATE`, else where the system keeps state.
    pub(super) fn of_user() -> Self {
        let named = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty());
        let folder = named.map(PathBuf::from).or_else(|| {
            use etcetera::BaseStrategy as _;
            let dirs = etcetera::choose_base_strategy().ok()?;
            Some(dirs.state_dir().unwrap_or_else(|| dirs.data_dir()).join("cinetag"))
        });
        Self { path: folder.map(|folder| folder.join(FILE)) }
    }

    /// Whether a file with this digest was made by this program. What cannot be read knows none.
    pub(super) fn holds(&self, digest: &Digest) -> bool {
        let read = || -> io::Result<String> {
            let path = self.path.as_ref().ok_or(io::ErrorKind::NotFound)?;
            let mut file = super::super::file::open(path)?;
            flock(&file, FlockOperation::LockShared)?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(text)
        };
        let digest = digest.to_string();
        read().is_ok_and(|text| text.lines().any(|line| line.starts_with(&digest)))
    }

    /// Remembers files. Where that cannot be done, it is said in the log: the files will be taken
    /// for somebody else's.
    pub(super) fn add(&self, made: &[(Digest, &Path)]) {
        if made.is_empty() {
            return;
        }
        let Some(path) = &self.path else { return };
        if let Err(error) = append(path, made) {
            tracing::warn!(
                path = %path.display(),
                %error,
                "outputs cannot be remembered; to replace them, the next run wants --overwrite"
            );
        }
    }
}

fn append(path: &Path, made: &[(Digest, &Path)]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    if file.metadata()?.len() > MAX_BYTES {
        forget_half(&mut file)?;
    }
    let line = |(digest, path): &(Digest, &Path)| {
        let path = path.to_string_lossy().replace(['\n', '\r'], " ");
        format!("{digest}  {path}\n")
    };
    file.write_all(made.iter().map(line).collect::<String>().as_bytes())
}

/// A crash in between forgets more, which costs a question at most.
fn forget_half(file: &mut File) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    let newer = &bytes[bytes.len() / 2..];
    let start = newer.iter().position(|&byte| byte == b'\n').map_or(newer.len(), |at| at + 1);
    file.set_len(0)?;
    file.write_all(&newer[start..])
}

#[cfg(test)]
impl Ledger {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { path: Some(folder.join(FILE)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_forgets_the_older_half() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::in_folder(&folder.path().join("state"));
        let digest = |idx: u32| Digest::of_bytes(&idx.to_le_bytes());
        let name = "x".repeat(1000);
        let path = Path::new(&name);
        let lines = MAX_BYTES as u32 / 1000;
        let all: Vec<_> = (0..lines).map(|idx| (digest(idx), path)).collect();
        ledger.add(&all);
        assert!(ledger.holds(&digest(0)));
        ledger.add(&[(digest(lines), Path::new("new\nline"))]);
        assert!(!ledger.holds(&digest(0)) && ledger.holds(&digest(lines - 1)));
        assert!(ledger.holds(&digest(lines)));
        let text = fs::read_to_string(ledger.path.unwrap()).unwrap();
        let is_line = |line: &str| line.get(64..).is_some_and(|rest| rest.starts_with("  "));
        assert!(text.lines().all(is_line));
    }

    #[test]
    fn no_list_knows_nothing_and_is_no_fault() {
        let ledger = Ledger { path: None };
        ledger.add(&[(Digest::of_bytes(b""), Path::new("x"))]);
        assert!(!ledger.holds(&Digest::of_bytes(b"")));
    }
}
