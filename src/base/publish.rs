//! Files that are whole or not there: temporary name in the same folder, flush,
//! sync, rename, sync of the folder.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What the names of unfinished files begin with.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

/// Writes a file through `write`, which gets a temporary path in the target's folder,
/// then puts it in place under `path`, replacing what was there in one step.
///
/// The temporary file has the target's extension and starts with `.tmp-`; readers of a
/// folder pass over such names.
///
/// # Errors
/// What `write` returns, or the system's error from creating, syncing or renaming; the
/// file that stood at `path` is then untouched and the temporary file removed.
pub fn publish_file<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let draft = Draft::begin(path)?;
    write(draft.path())?;
    draft.publish()?;
    Ok(())
}

/// A file in the making, for writers that live longer than one call: [`publish_file`] in
/// two steps. Dropped without [`Draft::publish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    temporary: tempfile::TempPath,
    path: PathBuf,
}

impl Draft {
    /// An empty temporary file beside `path`, in a folder that is there: none is made on the
    /// way, for that of a disk which is no longer mounted must not come back as an empty one.
    ///
    /// # Errors
    /// The system's error from creating the file.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path);
        let suffix =
            path.extension().map_or_else(String::new, |ext| format!(".{}", ext.to_string_lossy()));
        let temporary = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .suffix(&suffix)
            .tempfile_in(&folder)?
            .into_temp_path();
        Ok(Self { temporary, path: path.to_owned() })
    }

    /// Where to write to.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Puts the file in place, replacing what was there in one step.
    ///
    /// # Errors
    /// The system's error from syncing or renaming; what stood there is then untouched.
    pub fn publish(self) -> io::Result<()> {
        File::open(&self.temporary)?.sync_all()?;
        set_permissions(&self.temporary, &self.path)?;
        self.temporary.persist(&self.path).map_err(|e| e.error)?;
        sync_folder(&folder_of(&self.path))
    }

    /// [`Draft::publish`] under a name that is known only now (a digest of the content), in
    /// the same folder. Returns the path.
    ///
    /// # Errors
    /// As [`Draft::publish`].
    pub fn publish_as(mut self, name: &str) -> io::Result<PathBuf> {
        self.path.set_file_name(name);
        let path = self.path.clone();
        self.publish()?;
        Ok(path)
    }
}

/// [`publish_file`] for bytes in memory.
///
/// # Errors
/// The system's error from creating, writing, syncing or renaming.
pub fn publish_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    publish_file(path, |temporary| File::create(temporary)?.write_all(bytes))
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Temporary files are made private; a published file has the rights of the file that it
/// replaces, and is as readable as any other where it replaces none.
#[cfg(unix)]
fn set_permissions(temporary: &Path, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0o644, |replaced| replaced.permissions().mode() & 0o7777);
    fs::set_permissions(temporary, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_permissions(_temporary: &Path, _path: &Path) -> io::Result<()> {
    Ok(())
}

/// Flushes a folder to the disk: what was renamed in it stays so.
///
/// # Errors
/// The system's.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Nothing: folders cannot be opened here.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tags.json");
        publish_bytes(&path, b"old").unwrap();
        let result: io::Result<()> = publish_file(&path, |temporary| {
            fs::write(temporary, b"half a fi")?;
            Err(io::Error::other("disk full"))
        });
        assert!(result.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        publish_bytes(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }
}
