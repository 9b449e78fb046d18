//! A model as a user names it: by id, or by a path to files of one's own.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use base::{Digest, file, publish_bytes};

use super::{ModelFiles, WeightCache, WeightsError, manifest::Role};
use crate::checkpoint::to_safetensors;

/// The weights in a folder of `CTranslate2`'s.
const CTRANSLATE2_NAME: &str = "model.bin";

/// Where a model is to be taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// A model of the manifest.
    Known(String),
    /// A weights file, or a folder with `model.safetensors` (or `model.bin` of `CTranslate2`) and what
    /// belongs to it.
    Path(PathBuf),
}

impl FromStr for ModelSource {
    type Err = std::convert::Infallible;

    /// Whatever looks like a path is one: it has a separator or a weights file's ending.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = Path::new(text);
        let has_ending = path.extension().is_some_and(|ext| ext == "safetensors" || ext == "pth");
        if has_ending || path.components().count() > 1 || text.starts_with(['.', '/', '~']) {
            Ok(Self::Path(path.to_owned()))
        } else {
            Ok(Self::Known(text.to_owned()))
        }
    }
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(id) => f.write_str(id),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

impl WeightCache {
    /// The files of a model, by id from the cache or by path. A checkpoint that is no
    /// safetensors file is converted into the cache first.
    ///
    /// # Errors
    /// As [`require`](Self::require); for paths, a missing file or an unknown format.
    pub fn resolve(&self, source: &ModelSource) -> Result<ModelFiles, WeightsError> {
        match source {
            ModelSource::Known(id) => self.require(id),
            ModelSource::Path(path) => self.files_at(path),
        }
    }

    /// Digest of a model's weights as [`ModelFiles`] would have it: of one that the manifest pins
    /// without looking at a file.
    ///
    /// # Errors
    /// An id that is not known; of others as [`resolve`](Self::resolve).
    pub fn digest(&self, source: &ModelSource) -> Result<Digest, WeightsError> {
        if let ModelSource::Known(id) = source
            && let Some(pinned) = self.manifest.model(id)?.kept_digest()
        {
            return Ok(pinned);
        }
        Ok(self.resolve(source)?.digest)
    }

    fn files_at(&self, path: &Path) -> Result<ModelFiles, WeightsError> {
        let (given, folder) = if path.is_dir() {
            let names = [Role::Weights.file_name(), CTRANSLATE2_NAME].map(|name| path.join(name));
            let is_other = !names[0].exists() && names[1].exists();
            let [named, other] = names;
            (if is_other { other } else { named }, path)
        } else {
            (path.to_owned(), path.parent().unwrap_or(Path::new(".")))
        };
        let sibling =
            |role: Role| Some(folder.join(role.file_name())).filter(|path| path.is_file());
        let digest = Digest::of_file(&given).map_err(WeightsError::io(&given))?;
        let (weights, digest) = if given.extension().is_some_and(|ext| ext == "safetensors") {
            (given, digest)
        } else {
            self.converted(&given, digest)?
        };
        let files = ModelFiles {
            weights,
            tokenizer: sibling(Role::Tokenizer),
            config: sibling(Role::Config),
            preprocessor: sibling(Role::Preprocessor),
            digest,
        };
        Ok(files)
    }

    /// A converted copy in the cache, made once per content.
    fn converted(&self, given: &Path, digest: Digest) -> Result<(PathBuf, Digest), WeightsError> {
        let copy = self.root.join("converted").join(format!("{digest}.safetensors"));
        let record = copy.with_extension("sha256");
        let known =
            file::read_to_string(&record).ok().and_then(|text| text.trim().parse::<Digest>().ok());
        if let Some(known) = known
            && Digest::of_file(&copy).is_ok_and(|found| found == known)
        {
            return Ok((copy, known));
        }
        let bytes = file::read(given).map_err(WeightsError::io(given))?;
        let converted = to_safetensors(bytes, None)
            .map_err(|e| WeightsError::Format { path: given.to_owned(), message: e.to_string() })?;
        let converted_digest = Digest::of_bytes(&converted);
        let folder = self.root.join("converted");
        std::fs::create_dir_all(&folder).map_err(WeightsError::io(&folder))?;
        publish_bytes(&copy, &converted).map_err(WeightsError::io(&copy))?;
        publish_bytes(&record, converted_digest.to_string().as_bytes())
            .map_err(WeightsError::io(&record))?;
        Ok((copy, converted_digest))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_looks_like_a_path_is_one() {
        for text in ["./m", "/m", "a/b", "m.safetensors", "m.pth", "~/m"] {
            assert_eq!(
                text.parse::<ModelSource>().unwrap(),
                ModelSource::Path(text.into()),
                "{text}"
            );
        }
        assert_eq!(
            "efficientnet-lite0".parse::<ModelSource>().unwrap(),
            ModelSource::Known("efficientnet-lite0".to_owned())
        );
    }

    #[test]
    fn files_of_ones_own_are_taken_where_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let cache = WeightCache::open(Some(folder.path().join("cache"))).unwrap();
        let model = folder.path().join("mine");
        let source = ModelSource::Path(model.clone());
        fs::create_dir(&model).unwrap();
        let error = cache.resolve(&source).unwrap_err();
        assert!(error.to_string().contains("model.safetensors"), "{error}");
        fs::write(model.join("model.safetensors"), b"tensors").unwrap();
        fs::write(model.join("tokenizer.json"), b"{}").unwrap();
        let files = cache.resolve(&source).unwrap();
        assert_eq!(files.digest, Digest::of_bytes(b"tensors"));
        assert_eq!(files.tokenizer, Some(model.join("tokenizer.json")));
        assert_eq!(files.config, None);
    }
}
