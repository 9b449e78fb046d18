//! The folder that holds pulled weights.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use base::{Digest, file};
use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};

use super::{
    WeightsError,
    manifest::{Manifest, Model, Role},
};

/// The user's weights; cheap to make, holds no file open.
#[derive(Clone, Debug)]
pub struct WeightCache {
    pub(super) root: PathBuf,
    pub(super) manifest: Manifest,
}

/// The files of a model that is ready for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// Tensors as safetensors.
    pub weights: PathBuf,
    /// `tokenizer.json`, where the model has one.
    pub tokenizer: Option<PathBuf>,
    /// `config.json`, where the model has one.
    pub config: Option<PathBuf>,
    /// `preprocessor_config.json`, where the model has one.
    pub preprocessor: Option<PathBuf>,
    /// Digest of the file `weights`: part of every fingerprint.
    pub digest: Digest,
}

impl ModelFiles {
    /// Digest of the tokenizer, where the model has one: for models that no id pins.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn tokenizer_digest(&self) -> Result<Option<Digest>, WeightsError> {
        let of = |path: &PathBuf| Digest::of_file(path).map_err(WeightsError::io(path));
        self.tokenizer.as_ref().map(of).transpose()
    }
}

/// How a model stands in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelStatus {
    /// Not pulled.
    Absent,
    /// Whole, as far as names and sizes tell; [`WeightCache::verify`] reads the content.
    Ready,
    /// Something is missing or has another size.
    Damaged(String),
}

/// A model and how it stands in the cache.
#[derive(Clone, Debug)]
pub struct CacheEntry {
    /// The model.
    pub model: Model,
    /// How it stands.
    pub status: ModelStatus,
    /// Its folder, whether there or not.
    pub folder: PathBuf,
}

/// `model.json`: written last, so a folder without it holds no model.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub id: String,
    pub licence: String,
    /// Where the files came from.
    pub from: String,
    pub files: Vec<RecordFile>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RecordFile {
    pub name: String,
    pub bytes: u64,
    pub sha256: Digest,
    /// Digest of the pinned file that it was made from.
    pub source_sha256: Digest,
}

pub(super) const RECORD_NAME: &str = "model.json";

impl WeightCache {
    /// The cache in `folder`, else in `$CINETAG_WEIGHTS`, else in the user's cache folder
    /// (`$XDG_CACHE_HOME/cinetag/weights` or `~/.cache/cinetag/weights`). Creates nothing.
    ///
    /// # Errors
    /// [`WeightsError::NoCacheFolder`] where none of them can be told.
    pub fn open(folder: Option<PathBuf>) -> Result<Self, WeightsError> {
        let root = match folder {
            Some(folder) => folder,
            None => default_folder(|name| env::var_os(name).map(PathBuf::from))?,
        };
        Ok(Self { root, manifest: Manifest::built_in() })
    }

    /// As [`open`](Self::open) with a list of models of one's own.
    #[must_use]
    pub fn with_manifest(folder: PathBuf, manifest: Manifest) -> Self {
        Self { root: folder, manifest }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// The models that are known.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Every known model and how it stands.
    #[must_use]
    pub fn list(&self) -> Vec<CacheEntry> {
        self.manifest
            .models
            .iter()
            .map(|model| CacheEntry {
                model: model.clone(),
                status: self.status_of(model),
                folder: self.folder_of(&model.id),
            })
            .collect()
    }

    /// How one model stands; sizes are looked at, content is not.
    ///
    /// # Errors
    /// [`WeightsError::Unknown`].
    pub fn status(&self, id: &str) -> Result<ModelStatus, WeightsError> {
        Ok(self.status_of(self.manifest.model(id)?))
    }

    /// Reads every file of a model and compares its digest.
    ///
    /// # Errors
    /// Unknown, absent, or damaged with the file that is.
    pub fn verify(&self, id: &str) -> Result<ModelFiles, WeightsError> {
        let record = self.record(id)?;
        for file in &record.files {
            self.check_digest(id, file)?;
        }
        self.files(id, &record)
    }

    /// The files of a model for use. The weights' digest is computed anew (about a tenth of a
    /// second for 100 MB), because fingerprints of features rest on it.
    ///
    /// # Errors
    /// Unknown, absent (the hint says what to run), or damaged.
    pub fn require(&self, id: &str) -> Result<ModelFiles, WeightsError> {
        let record = self.record(id)?;
        let weights = Role::Weights.file_name();
        for file in record.files.iter().filter(|file| file.name == weights) {
            self.check_digest(id, file)?;
        }
        self.files(id, &record)
    }

    pub(super) fn folder_of(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    fn status_of(&self, model: &Model) -> ModelStatus {
        match self.record(&model.id) {
            Ok(_) => ModelStatus::Ready,
            Err(WeightsError::Absent { .. }) => ModelStatus::Absent,
            Err(WeightsError::Damaged { what, .. }) => ModelStatus::Damaged(what),
            Err(error) => ModelStatus::Damaged(error.to_string()),
        }
    }

    /// The record of a model that is whole by names and sizes.
    fn record(&self, id: &str) -> Result<Record, WeightsError> {
        let model = self.manifest.model(id)?;
        let folder = self.folder_of(id);
        let path = folder.join(RECORD_NAME);
        let damaged = |what: String| WeightsError::Damaged { id: id.to_owned(), what };
        let text = match file::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(WeightsError::Absent { id: id.to_owned(), folder });
            }
            Err(e) => return Err(WeightsError::io(&path)(e)),
        };
        let record: Record = serde_json::from_slice(&text)
            .map_err(|e| damaged(format!("{} is no record: {e}", path.display())))?;
        for wanted in &model.files {
            let file =
                record.files.iter().find(|file| file.name == wanted.role.file_name()).ok_or_else(
                    || damaged(format!("{} names no {}", path.display(), wanted.role.file_name())),
                )?;
            if file.source_sha256 != wanted.sha256 {
                return Err(damaged(format!("{} was made from another version", file.name)));
            }
            if wanted.kept_digest().is_some_and(|kept| file.sha256 != kept) {
                return Err(damaged(format!("{} was converted by another version", file.name)));
            }
            let found = fs::metadata(folder.join(&file.name)).map(|meta| meta.len()).ok();
            if found != Some(file.bytes) {
                let found = found.map_or("is missing".to_owned(), |n| format!("has {n} bytes"));
                return Err(damaged(format!(
                    "{} {found}, expected {} bytes",
                    file.name, file.bytes
                )));
            }
        }
        Ok(record)
    }

    fn check_digest(&self, id: &str, file: &RecordFile) -> Result<(), WeightsError> {
        let path = self.folder_of(id).join(&file.name);
        let found = Digest::of_file(&path).map_err(WeightsError::io(&path))?;
        if found == file.sha256 {
            return Ok(());
        }
        Err(WeightsError::Damaged {
            id: id.to_owned(),
            what: format!("{} has sha256 {found}, expected {}", file.name, file.sha256),
        })
    }

    fn files(&self, id: &str, record: &Record) -> Result<ModelFiles, WeightsError> {
        let folder = self.folder_of(id);
        let find = |role: Role| record.files.iter().find(|file| file.name == role.file_name());
        let path = |role: Role| find(role).map(|file| folder.join(&file.name));
        let weights = find(Role::Weights).ok_or_else(|| WeightsError::Damaged {
            id: id.to_owned(),
            what: "it has no weights".to_owned(),
        })?;
        Ok(ModelFiles {
            weights: folder.join(&weights.name),
            tokenizer: path(Role::Tokenizer),
            config: path(Role::Config),
            preprocessor: path(Role::Preprocessor),
            digest: weights.sha256,
        })
    }
}

/// `var` looks an environment variable up; empty ones count as unset.
fn default_folder(var: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, WeightsError> {
    let set = |name: &str| var(name).filter(|path| !path.as_os_str().is_empty());
    if let Some(folder) = set("CINETAG_WEIGHTS") {
        return Ok(folder);
    }
    if let Some(cache) = set("XDG_CACHE_HOME").filter(|path| path.is_absolute()) {
        return Ok(cache.join("cinetag/weights"));
    }
    etcetera::choose_base_strategy()
        .map(|strategy| strategy.cache_dir().join("cinetag/weights"))
        .map_err(|_| WeightsError::NoCacheFolder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_comes_from_the_environment_in_order() {
        let env = |pairs: &'static [(&str, &str)]| {
            move |name: &str| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value))
            }
        };
        let both = env(&[("CINETAG_WEIGHTS", "/w"), ("XDG_CACHE_HOME", "/x")]);
        assert_eq!(default_folder(both).unwrap(), PathBuf::from("/w"));
        let cache = env(&[("CINETAG_WEIGHTS", ""), ("XDG_CACHE_HOME", "/x")]);
        assert_eq!(default_folder(cache).unwrap(), PathBuf::from("/x/cinetag/weights"));
    }

    #[test]
    fn an_empty_cache_says_what_to_run() {
        use base::Hinted as _;
        let folder = tempfile::tempdir().unwrap();
        let cache = WeightCache::open(Some(folder.path().to_owned())).unwrap();
        assert!(cache.list().iter().all(|entry| entry.status == ModelStatus::Absent));
        let error = cache.require("efficientnet-lite0").unwrap_err();
        assert_eq!(error.hint().unwrap(), "run `cinetag models pull efficientnet-lite0`");
    }
}
