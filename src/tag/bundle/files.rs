//! A bundle's files: confined to its folder, digested, and put in place in one step.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use base::{Digest, file};

use super::STRANGER;
use crate::TagError;

/// Whether nothing of a bundle's model is a link that leads out of the bundle: who made it must not
/// be able to have any file of this machine read.
pub(super) fn check_confined(folder: &Path, model_folder: &Path) -> Result<(), TagError> {
    let real = fs::canonicalize(folder).map_err(TagError::file(folder))?;
    let mut rest = vec![model_folder.to_owned()];
    while let Some(path) = rest.pop() {
        // What is not there is missed by whoever reads it.
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.is_symlink() {
            let target = fs::canonicalize(&path).map_err(TagError::file(&path))?;
            if !target.starts_with(&real) {
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                return Err(TagError::Bundle {
                    path: folder.to_owned(),
                    message: format!("its {name} is a link out of it"),
                    hint: Some(STRANGER.to_owned()),
                });
            }
        } else if found.is_dir() {
            for entry in fs::read_dir(&path).map_err(TagError::file(&path))? {
                rest.push(entry.map_err(TagError::file(&path))?.path());
            }
        }
    }
    Ok(())
}

/// Digests of all files below a folder, by their path in it.
pub(super) fn digests(folder: &Path) -> Result<BTreeMap<String, Digest>, TagError> {
    let mut files = BTreeMap::new();
    for path in files_below(folder).map_err(TagError::file(folder))? {
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        files.insert(name, Digest::of_file(&path).map_err(TagError::file(path))?);
    }
    Ok(files)
}

pub(super) fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// Copies a file, with the folders that its new path leads through.
pub(super) fn copy_file(from: &Path, to: &Path) -> Result<(), TagError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(TagError::file(folder))?;
    }
    let bytes = file::read(from).map_err(TagError::file(from))?;
    fs::write(to, bytes).map_err(TagError::file(to))
}

/// Flushes every file of a folder to the disk.
pub(super) fn sync(folder: &Path) -> Result<(), TagError> {
    for path in files_below(folder).map_err(TagError::file(folder))? {
        file::open(&path).and_then(|file| file.sync_all()).map_err(TagError::file(path))?;
    }
    Ok(())
}

/// Puts the draft in the place of `folder`. What stood there is renamed away first and
/// removed last, so that at every moment one whole bundle is on the disk.
pub(super) fn replace(
    draft: tempfile::TempDir,
    folder: &Path,
    parent: &Path,
) -> Result<(), TagError> {
    let old = tempfile::Builder::new()
        .prefix(".tmp-old-")
        .tempdir_in(parent)
        .map_err(TagError::file(parent))?;
    let moved = old.path().join("bundle");
    if folder.exists() {
        fs::rename(folder, &moved).map_err(TagError::file(folder))?;
    }
    let draft = draft.keep();
    make_readable(&draft)?;
    if let Err(error) = fs::rename(&draft, folder) {
        if moved.exists() {
            fs::rename(&moved, folder).map_err(TagError::file(folder))?;
        }
        return Err(TagError::file(folder)(error));
    }
    Ok(())
}

/// Temporary folders are private; a published one is as readable as any other.
pub(super) fn make_readable(folder: &Path) -> Result<(), TagError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
            .map_err(TagError::file(folder))?;
    }
    let _ = folder;
    Ok(())
}
