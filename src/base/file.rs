//! The one way to open a file that somebody else may have put there.
//!
//! in: a path from a catalog, a library, a bundle, a command line; out: an open regular file, or
//! what stands there instead. A named pipe without a writer and a device such as `/dev/zero` never
//! end: whoever opened one would wait for ever. So nothing is waited for while opening, and what
//! was opened is asked for its kind on the handle itself: between a look at the path and the
//! opening, the path may come to mean something else.
//!
//! source: open(2), `O_NONBLOCK` (no effect on regular files) and `O_NOCTTY`.

use std::{
    error::Error,
    fmt,
    fs::{self, File, FileType},
    io::{self, Read},
    path::Path,
};

use super::{Interrupt, Interrupted};

/// Bytes between two looks at the interrupt. What is smaller is read to its end, so that what is in
/// hand when Ctrl-C comes can be finished.
const BYTES_BETWEEN_LOOKS: u64 = 1 << 24;

/// What stands at a path in a file's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is {what}, not a file", what = self.words())]
pub enum NotAFile {
    /// A folder.
    Folder,
    /// A FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// A device that is read byte by byte or block by block.
    Device,
}

impl NotAFile {
    /// What a file's kind is, where it is no regular file.
    pub(super) fn of(kind: FileType) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::FileTypeExt;
            if kind.is_fifo() {
                return Some(Self::Pipe);
            }
            if kind.is_socket() {
                return Some(Self::Socket);
            }
        }
        match kind {
            kind if kind.is_file() => None,
            kind if kind.is_dir() => Some(Self::Folder),
            _ => Some(Self::Device),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Folder => "a folder",
            Self::Pipe => "a named pipe (FIFO)",
            Self::Socket => "a socket",
            Self::Device => "a device",
        }
    }

    /// How to mend it.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Folder => "give the path of a file in that folder",
            Self::Pipe | Self::Socket | Self::Device => {
                "save its content as a regular file and give that; pipes and devices may never end, \
                 so they are not read"
            }
        }
    }

    /// What an error of this module says of what stood there.
    #[must_use]
    pub fn in_error(error: &(dyn Error + 'static)) -> Option<Self> {
        error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref().copied()
    }
}

impl From<NotAFile> for io::Error {
    fn from(found: NotAFile) -> Self {
        let kind = match found {
            NotAFile::Folder => io::ErrorKind::IsADirectory,
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, found)
    }
}

/// Opens a regular file for reading; links are followed.
///
/// # Errors
/// The system's, or [`NotAFile`] where something else stands there.
pub fn open(path: impl AsRef<Path>) -> io::Result<File> {
    open_regular(path.as_ref(), true)
}

/// Opens a regular file for reading that is no link.
///
/// # Errors
/// As [`open`]; a link is an error of the system's.
pub fn open_itself(path: impl AsRef<Path>) -> io::Result<File> {
    open_regular(path.as_ref(), false)
}

fn open_regular(path: &Path, follow: bool) -> io::Result<File> {
    let file = match open_any(path, follow) {
        Ok(file) => file,
        // Sockets and some devices cannot even be opened; the better word is what they are.
        Err(error) => {
            let found = fs::metadata(path).ok().and_then(|meta| NotAFile::of(meta.file_type()));
            return Err(found.map_or(error, io::Error::from));
        }
    };
    match NotAFile::of(file.metadata()?.file_type()) {
        None => Ok(file),
        Some(found) => Err(found.into()),
    }
}

#[cfg(unix)]
fn open_any(path: &Path, follow: bool) -> io::Result<File> {
    use rustix::{
        fs::{Mode, OFlags},
        io::retry_on_intr,
    };
    let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    flags.set(OFlags::NOFOLLOW, !follow);
    let opened = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
    Ok(File::from(opened))
}

#[cfg(not(unix))]
fn open_any(path: &Path, _follow: bool) -> io::Result<File> {
    File::open(path)
}

/// A regular file's content.
///
/// # Errors
/// As [`open`], or the file cannot be read, or Ctrl-C came while a large one was read.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    let expected = file.metadata()?.len();
    bytes.try_reserve_exact(usize::try_from(expected).unwrap_or(usize::MAX))?;
    while (&file).take(BYTES_BETWEEN_LOOKS).read_to_end(&mut bytes)? > 0 {
        if bytes.len() as u64 >= BYTES_BETWEEN_LOOKS {
            look_at_interrupt()?;
        }
    }
    Ok(bytes)
}

/// A regular file's content as text.
///
/// # Errors
/// As [`read`], or it is not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Whether Ctrl-C came, as an error of a reader.
///
/// # Errors
/// [`Interrupted`] once the process was asked to stop. (Not of [`io::ErrorKind::Interrupted`], upon
/// which readers try again.)
pub fn look_at_interrupt() -> io::Result<()> {
    Interrupt::of_process().check().map_err(io::Error::other)
}

/// Whether an error of a reader is that Ctrl-C came.
#[must_use]
pub fn is_interrupt(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<Interrupted>)
}

/// A reader that ends with an error when Ctrl-C comes.
pub struct Interruptible<R>(pub R);

impl<R: Read> Read for Interruptible<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        look_at_interrupt()?;
        self.0.read(buffer)
    }
}

impl<R: fmt::Debug> fmt::Debug for Interruptible<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::Digest;

    /// What `open` says of what stands at a path.
    fn found(path: &Path) -> NotAFile {
        NotAFile::in_error(&open(path).unwrap_err()).unwrap()
    }

    #[test]
    fn what_never_ends_is_not_opened_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), 0o600.into()).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("link")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        assert_eq!(found(&at("fifo")), NotAFile::Pipe);
        assert_eq!(found(&at("link")), NotAFile::Device);
        assert_eq!(found(&at("socket")), NotAFile::Socket);
        assert_eq!(found(folder.path()), NotAFile::Folder);
        assert!(open_itself(at("fifo")).is_err() && open_itself(at("link")).is_err());
        for name in ["fifo", "link", "socket", "."] {
            assert!(read(at(name)).is_err() && read_to_string(at(name)).is_err());
            assert!(Digest::of_file(&at(name)).is_err());
        }
        let error = open(at("fifo")).unwrap_err();
        assert_eq!(error.to_string(), "it is a named pipe (FIFO), not a file");
        assert!(NotAFile::Pipe.hint().contains("never end"));
    }

    #[test]
    fn files_and_links_to_them_are_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("film"), folder.path().join("link"));
        let content = vec![b'x'; BYTES_BETWEEN_LOOKS as usize + 3];
        fs::write(&path, &content).unwrap();
        std::os::unix::fs::symlink("film", &link).unwrap();
        assert!(read(&path).unwrap() == content && read_to_string(&link).unwrap().len() > 3);
        assert_eq!(Digest::of_file(&link).unwrap(), Digest::of_bytes(&content));
        fs::write(&path, b"\xff").unwrap();
        assert_eq!(read_to_string(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(open(path.with_extension("no")).unwrap_err().kind(), io::ErrorKind::NotFound);
        // The system's own tables have no length beforehand.
        assert!(!read_to_string("/proc/self/status").unwrap().is_empty());
    }
}
