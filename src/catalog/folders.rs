//! Going through folders, those behind links included, each once.
//!
//! in: a folder; out: what it and the folders in it hold, told to a visitor. First come the
//! folders that are really there, in the order of their names, then those that links lead to: what
//! can be reached both ways keeps the path that it has without the link. Hidden entries are passed
//! over.
//!
//! Links may make loops, or lead to the whole disk. One that leads to a folder above itself is not
//! followed, and behind links no folder is entered twice: folders are known by device and inode,
//! whatever path leads to them.

use std::{
    collections::{HashSet, VecDeque},
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use base::file;

use super::{Problem, ProblemKind};

/// What to do about a folder, or a link, that cannot be read.
const READ_HINT: &str =
    "give yourself the right to read it; of a link, see that what it leads to is there";

/// What could not be read, as problems.
pub(super) fn problems(unreadable: Vec<(PathBuf, io::Error)>) -> impl Iterator<Item = Problem> {
    unreadable.into_iter().map(|(path, error)| {
        let message = format!("it cannot be read ({error}); it is passed over");
        Problem::warning(ProblemKind::UnreadableFolder, (&path, 0), message, READ_HINT)
    })
}

/// What a folder holds, by name.
#[derive(Debug)]
pub(super) struct Listing {
    /// The folder.
    pub(super) folder: PathBuf,
    /// Ordinary files and links to such.
    pub(super) files: Vec<PathBuf>,
    /// Folders and links to such.
    pub(super) folders: Vec<PathBuf>,
    links: HashSet<PathBuf>,
    /// Links to what is not there, or cannot be looked at.
    dangling: Vec<(PathBuf, io::Error)>,
}

impl Listing {
    fn read(folder: &Path) -> io::Result<Self> {
        let mut listing = Self {
            folder: folder.to_owned(),
            files: Vec::new(),
            folders: Vec::new(),
            links: HashSet::new(),
            dangling: Vec::new(),
        };
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            let mut kind = entry.file_type()?;
            if kind.is_symlink() {
                match fs::metadata(&path) {
                    Ok(behind) => kind = behind.file_type(),
                    Err(error) => {
                        listing.dangling.push((path, error));
                        continue;
                    }
                }
                if kind.is_dir() {
                    listing.links.insert(path.clone());
                }
            }
            if kind.is_dir() {
                listing.folders.push(path);
            } else if kind.is_file() {
                listing.files.push(path);
            }
        }
        listing.files.sort();
        listing.folders.sort();
        listing.dangling.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(listing)
    }
}

/// Goes through a folder; the visitor says which of a listing's folders are entered. Gives what
/// could not be read.
///
/// # Errors
/// The folder itself cannot be read, or Ctrl-C came.
pub(super) fn walk(
    root: &Path,
    visit: impl FnMut(&Listing) -> Vec<PathBuf>,
) -> io::Result<Vec<(PathBuf, io::Error)>> {
    let mut walk =
        Walk { visit, seen: HashSet::new(), links: VecDeque::new(), unreadable: Vec::new() };
    walk.enter(root, false)?;
    while let Some(link) = walk.links.pop_front() {
        if !leads_up(&link) {
            walk.try_to_enter(link, true)?;
        }
    }
    Ok(walk.unreadable)
}

struct Walk<V> {
    visit: V,
    /// Device and inode of every folder that was entered.
    seen: HashSet<(u64, u64)>,
    /// Links that are still to be followed.
    links: VecDeque<PathBuf>,
    unreadable: Vec<(PathBuf, io::Error)>,
}

impl<V: FnMut(&Listing) -> Vec<PathBuf>> Walk<V> {
    fn enter(&mut self, folder: &Path, is_behind_link: bool) -> io::Result<()> {
        file::look_at_interrupt()?;
        let found = fs::metadata(folder)?;
        let is_new = self.seen.insert((found.dev(), found.ino()));
        if is_behind_link && !is_new {
            return Ok(());
        }
        let mut listing = Listing::read(folder)?;
        self.unreadable.append(&mut listing.dangling);
        for inner in (self.visit)(&listing) {
            if listing.links.contains(&inner) {
                self.links.push_back(inner);
            } else {
                self.try_to_enter(inner, is_behind_link)?;
            }
        }
        Ok(())
    }

    fn try_to_enter(&mut self, folder: PathBuf, is_behind_link: bool) -> io::Result<()> {
        match self.enter(&folder, is_behind_link) {
            Err(error) if file::is_interrupt(&error) => Err(error),
            Err(error) => {
                self.unreadable.push((folder, error));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

/// Whether a link leads to a folder that it lies in, at whatever depth.
fn leads_up(link: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let (target, place) = (real(link), link.parent().and_then(real));
    target.zip(place).is_some_and(|(target, place)| place.starts_with(target))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The files that are found, from the root, and how many things could not be read.
    fn found(root: &Path) -> (Vec<String>, usize) {
        let mut files = Vec::new();
        let unreadable = walk(root, |listing| {
            files.extend(listing.files.clone());
            listing.folders.clone()
        });
        let short = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        (files.iter().map(short).collect(), unreadable.unwrap().len())
    }

    #[test]
    fn links_are_followed_and_never_in_circles() {
        let (tree, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (root, out) = (tree.path().join("films"), other.path());
        for file in
            [root.join("b/film"), root.join("b/.hidden/x"), out.join("c/film"), out.join("d/x")]
        {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        symlink("b", root.join("a")).unwrap(); // comes first by name, and is `b` nevertheless
        symlink(out.join("c"), root.join("linked")).unwrap();
        symlink(out.join("c"), root.join("twice")).unwrap();
        for (link, target) in
            [("b/up", root.as_path()), ("b/above", tree.path()), ("b/all", Path::new("/"))]
        {
            symlink(target, root.join(link)).unwrap();
        }
        symlink(out.join("c/round"), out.join("d/round")).unwrap();
        symlink(out.join("d"), out.join("c/round")).unwrap();
        symlink("nowhere", root.join("gone")).unwrap();
        symlink("itself", root.join("itself")).unwrap();
        let (files, num_unreadable) = found(&root);
        assert_eq!(files, ["b/film", "linked/film", "linked/round/x"]);
        assert_eq!(num_unreadable, 2, "what is not there is said");
        // The folder itself may be a link.
        symlink(&root, tree.path().join("link")).unwrap();
        assert_eq!(found(&tree.path().join("link")).0.len(), 3);
        assert!(walk(Path::new("no/such"), |_| Vec::new()).is_err());
    }
}
