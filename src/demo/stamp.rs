//! `demo.json`: which file of the library comes from which recipe.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use base::{Digest, Seed, file, publish_bytes};
use serde::{Deserialize, Serialize};

use super::{DemoError, NOTE, RENDER_VERSION, io_error, remove};

const FILE: &str = "demo.json";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stamp {
    synthetic: bool,
    note: String,
    render_version: u32,
    seed: Seed,
    num_titles: usize,
    /// Path relative to the folder, digest of the recipe.
    files: BTreeMap<String, Digest>,
}

impl Stamp {
    pub(super) fn new(seed: Seed, num_titles: usize, files: BTreeMap<String, Digest>) -> Self {
        let note = NOTE.to_owned();
        Self { synthetic: true, note, render_version: RENDER_VERSION, seed, num_titles, files }
    }

    /// Makes the folder ready for this library and says which files are still to be made:
    /// removes what an older recipe left there, then writes the stamp.
    pub(super) fn begin(&self, out: &Path) -> Result<BTreeSet<String>, DemoError> {
        let path = out.join(FILE);
        let old = read(&path)?;
        let kept = |name: &String, digest: &Digest| {
            old.as_ref().is_some_and(|old| old.files.get(name) == Some(digest))
                && fs::metadata(out.join(name)).is_ok_and(|file| file.is_file() && file.len() > 0)
        };
        let todo: BTreeSet<String> = self
            .files
            .iter()
            .filter(|(name, digest)| !kept(name, digest))
            .map(|(name, _)| name.clone())
            .collect();
        match &old {
            Some(old) if old == self => return Ok(todo),
            Some(old) => {
                let stale =
                    |(name, digest): &(&String, &Digest)| self.files.get(*name) != Some(*digest);
                // The old stamp stands until its last stale file is gone: killed in between,
                // the next call removes the rest.
                old.files.iter().filter(stale).try_for_each(|(name, _)| remove(&out.join(name)))?;
            }
            None => {
                if let Some(name) = self.files.keys().find(|name| out.join(name).exists()) {
                    return Err(DemoError::NotOurs { path: out.join(name) });
                }
            }
        }
        fs::create_dir_all(out).map_err(io_error(out))?;
        let mut text = serde_json::to_string_pretty(self).expect("a stamp is plain data");
        text.push('\n');
        publish_bytes(&path, text.as_bytes()).map_err(io_error(&path))?;
        Ok(todo)
    }
}

/// The stamp at `path`, if there is one.
fn read(path: &Path) -> Result<Option<Stamp>, DemoError> {
    let bytes = match file::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(io_error(path))?,
    };
    let stamp: Stamp =
        serde_json::from_slice(&bytes).map_err(|_| DemoError::NotOurs { path: path.to_owned() })?;
    let escapes = |name: &String| {
        !Path::new(name).components().all(|c| matches!(c, std::path::Component::Normal(_)))
    };
    // Files that it names may be removed: none outside of the folder ever is.
    if stamp.files.keys().any(escapes) {
        return Err(DemoError::NotOurs { path: path.to_owned() });
    }
    Ok(Some(stamp))
}
