//! A bundle becomes a version: copied, checked, and put in place in one step.

use std::{fs, path::Path};

use base::{DeviceChoice, publish::TEMPORARY_PREFIX, publish::sync_folder};

use super::{VERSIONS, Version, Versions, entries};
use crate::{Bundle, TagError};

impl Versions {
    /// Adds the bundle in the folder `from` as a version, which does not become current by it. One that is
    /// there already stays as it is. The home must be there; the folder of the name is made.
    ///
    /// # Errors
    /// The folder is no bundle, or one that this program cannot use; it cannot be copied; somebody else is
    /// at work here.
    pub fn add(&self, from: &Path) -> Result<Version, TagError> {
        // What cannot be used is told by its own path, and nothing is made for it.
        let bundle = Bundle::load(from, DeviceChoice::Cpu)?;
        let version = Version::of(&bundle.digest);
        let versions = self.folder.join(VERSIONS);
        for folder in [&self.folder, &versions] {
            if !folder.is_dir() {
                fs::create_dir(folder).map_err(TagError::file(folder))?;
            }
        }
        let _lock = self.lock()?;
        clear(&versions)?;
        if self.folder_of(&version).exists() {
            self.config(&version)?;
            return Ok(version);
        }
        let draft = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempdir_in(&versions)
            .map_err(TagError::file(&versions))?;
        bundle.copy_to(draft.path())?;
        let to = self.folder_of(&version);
        // Kept, for it will not be there under its own name.
        let draft = draft.keep();
        fs::rename(&draft, &to).map_err(TagError::file(&to))?;
        sync_folder(&versions).map_err(TagError::file(&versions))?;
        Ok(version)
    }
}

/// Removes what processes that were killed had begun: whoever holds the lock is alone.
fn clear(versions: &Path) -> Result<(), TagError> {
    for name in entries(versions)?.iter().filter(|name| name.starts_with(TEMPORARY_PREFIX)) {
        let path = versions.join(name);
        fs::remove_dir_all(&path).map_err(TagError::file(path))?;
    }
    Ok(())
}
