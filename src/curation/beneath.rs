//! Files beneath the root of a tree, and no others.
//!
//! in: a path from the root, perhaps out of a journal that somebody else made; out: the file that
//! it stands for, if that lies in the tree. Links are followed as long as they stay there.

use std::{
    error::Error,
    fs,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use base::{file, own_like_folder};

use super::journal::FOLDER;

/// Sidecars and journals are texts; what is larger is none.
const MAX_BYTES: u64 = 256 << 20;

/// Why a path of a journal cannot be a file of the tree, if so.
#[must_use]
pub fn unfit(path: &Path) -> Option<&'static str> {
    let mut parts = path.components();
    if path.as_os_str().is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
        return Some("it does not lie beneath the root");
    }
    let is_own = path.components().any(|part| part.as_os_str() == FOLDER);
    is_own.then_some("it lies in the program's own folder")
}

/// The file that `path` beneath `root` stands for: itself, whether it is there or not, or what a
/// link points to.
///
/// # Errors
/// The folder is not there; it, or what a link points to, lies outside of the root.
pub fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let root = fs::canonicalize(root)?;
    let full = root.join(path);
    let (Some(folder), Some(name)) = (full.parent(), full.file_name()) else {
        return Err(outside());
    };
    let mut full = fs::canonicalize(folder)?.join(name);
    if fs::symlink_metadata(&full).is_ok_and(|found| found.is_symlink()) {
        full = fs::canonicalize(&full)
            .map_err(|_| io::Error::other("it is a link to a file that is not there"))?;
    }
    if full.starts_with(&root) { Ok(full) } else { Err(outside()) }
}

/// Makes the folders of `path` that are not there, beneath `root`.
///
/// # Errors
/// One cannot be made, or one that is there lies outside of the root.
pub fn make_folders(root: &Path, path: &Path) -> io::Result<()> {
    let root = fs::canonicalize(root)?;
    let mut folder = root.clone();
    for part in path.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        match fs::create_dir(&folder) {
            Ok(()) => own_like_folder(&folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !fs::canonicalize(&folder)?.starts_with(&root) {
                    return Err(outside());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What lies outside of the root.
#[derive(Debug, thiserror::Error)]
#[error("it is, or lies behind, a link out of the library; tag the folder there to write it")]
struct Outside;

fn outside() -> io::Error {
    io::Error::other(Outside)
}

/// Whether an error of [`resolve`] is that something lies outside of the root.
pub fn is_outside(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Outside>)
}

/// The bytes of a file that is no link; `None` where there is nothing.
///
/// # Errors
/// It is something else, too large, or cannot be read.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match file::open_itself(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(_) if path.is_symlink() => return Err(io::Error::other("it is a link")),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it has more than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(Some(bytes))
}

fn is_absent(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind())
}

/// All ordinary files beneath `root` whose name has this ending, without following links.
pub fn files_ending_in(root: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            if kind.is_dir() && name != FOLDER {
                folders.push(entry.path());
            } else if kind.is_file() && name.to_string_lossy().to_lowercase().ends_with(ending) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_files_beneath_the_root_are_fit() {
        for path in ["a/movie.nfo", "movie.NFO", "a b/x.pbcore.xml", "x.ebucore.xml"] {
            assert_eq!(unfit(Path::new(path)), None, "{path}");
        }
        for path in [
            "/etc/movie.nfo",
            "../movie.nfo",
            "a/../../movie.nfo",
            "",
            ".cinetag/x.nfo",
            "/dev/zero",
        ] {
            assert!(unfit(Path::new(path)).is_some(), "{path}");
        }
    }

    #[test]
    fn links_are_followed_as_long_as_they_stay_in_the_tree() {
        let (tree, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (root, out) = (fs::canonicalize(tree.path()).unwrap(), other.path());
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("a/real.nfo"), "x").unwrap();
        fs::write(out.join("movie.nfo"), "x").unwrap();
        symlink(root.join("a/real.nfo"), root.join("a/movie.nfo")).unwrap();
        symlink(out.join("movie.nfo"), root.join("a/out.nfo")).unwrap();
        symlink("nowhere", root.join("a/dangling.nfo")).unwrap();
        symlink(out, root.join("b")).unwrap();
        let at = |path: &str| resolve(&root, Path::new(path));
        assert_eq!(at("a/real.nfo").unwrap(), root.join("a/real.nfo"));
        assert_eq!(at("a/movie.nfo").unwrap(), root.join("a/real.nfo"));
        assert_eq!(at("a/new.nfo").unwrap(), root.join("a/new.nfo"));
        for path in ["a/out.nfo", "a/dangling.nfo", "b/movie.nfo", "b/new.nfo", "../x.nfo"] {
            assert_eq!(is_outside(&at(path).unwrap_err()), path != "a/dangling.nfo", "{path}");
        }
        assert_eq!(at("c/movie.nfo").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn nothing_but_ordinary_files_is_read_and_nobody_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "x").unwrap();
        symlink(path("file"), path("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o644),
            0,
        )
        .unwrap();
        assert_eq!(read(&path("file")).unwrap().as_deref(), Some(&b"x"[..]));
        assert_eq!(read(&path("none")).unwrap(), None);
        for other in [path("link"), path("fifo"), folder.path().to_owned(), "/dev/zero".into()] {
            assert!(read(&other).is_err(), "{}", other.display());
        }
    }
}
