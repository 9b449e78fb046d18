//! What is done: `lock.json` in the run folder, written anew after each stage.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use base::{Digest, file, json, publish_bytes};
use serde::{Deserialize, Serialize};

use super::PipelineError;

/// Its name in the run folder.
pub(super) const FILE: &str = "lock.json";

/// The stages that were run, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Lock {
    /// Version of the program that wrote it.
    pub cinetag: String,
    /// Digest of the run folder's copy of the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Digest>,
    /// The last run of each stage.
    pub stages: BTreeMap<String, LockedStage>,
    /// Rows of the catalog that could not be used.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows_left_out: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One stage that was run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LockedStage {
    /// Digest of its settings, inputs and the outputs that it read.
    pub key: Digest,
    /// What the key covers, in words, so that `--dry-run` can say what changed.
    pub because: BTreeMap<String, Digest>,
    /// What it made.
    pub outputs: Vec<Output>,
    /// In a sentence.
    pub summary: String,
    /// Titles that were skipped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: usize,
    /// Seconds that it took.
    pub seconds: f64,
    /// When it ended.
    pub finished: jiff::Timestamp,
}

/// A file that a stage made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Relative to the run folder where it lies in it, else absolute.
    pub path: PathBuf,
    /// Its content.
    pub sha256: Digest,
}

impl Output {
    /// Describes a file that is there.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub fn of(folder: &Path, path: &Path) -> Result<Self, PipelineError> {
        // Ctrl-C does not take away what a stage has just made.
        let sha256 =
            file::open(path).and_then(Digest::of_reader).map_err(PipelineError::file(path))?;
        let path = match path.strip_prefix(folder) {
            Ok(inside) => inside.to_owned(),
            Err(_) => std::path::absolute(path).map_err(PipelineError::file(path))?,
        };
        Ok(Self { path, sha256 })
    }

    /// What is wrong with the file now, if anything.
    #[must_use]
    pub fn fault(&self, folder: &Path) -> Option<&'static str> {
        match Digest::of_file(&folder.join(&self.path)) {
            Ok(digest) if digest == self.sha256 => None,
            Ok(_) => Some("was changed"),
            Err(_) => Some("is missing"),
        }
    }
}

impl Lock {
    /// The lock of a run folder; empty where there is none yet.
    ///
    /// # Errors
    /// It is there but cannot be read.
    pub fn read(folder: &Path) -> Result<Self, PipelineError> {
        let path = folder.join(FILE);
        match file::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| PipelineError::Spec {
                place: path.display().to_string(),
                message: format!("is no lock of this version: {e}"),
                hint: Some("remove it: the stages then run again, features stay".to_owned()),
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(PipelineError::file(path)(e)),
        }
    }

    /// Writes the lock.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), PipelineError> {
        let path = folder.join(FILE);
        publish_bytes(&path, json::pretty(self).as_bytes()).map_err(PipelineError::file(path))
    }
}
