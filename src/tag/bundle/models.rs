//! Weights outside of a bundle, which the settings of its modalities name by a path.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use base::Digest;
use nn::ModelSource;
use serde_json::Value;

use super::STRANGER;
use crate::TagError;

/// Settings that name a model by a path: `[(setting, path)]`.
pub(super) fn named_paths(settings: &Value) -> impl Iterator<Item = (&str, &Path)> {
    let all = settings.as_object().into_iter().flatten();
    all.filter_map(|(name, value)| {
        let names_a_model = name == "model" || name.ends_with("_model");
        let text = value.as_str().filter(|_| names_a_model)?;
        matches!(text.parse(), Ok(ModelSource::Path(_))).then(|| (name.as_str(), Path::new(text)))
    })
}

/// A file of weights, or that in a folder of a model.
pub(super) fn weights_at(path: &Path) -> PathBuf {
    if !path.is_dir() {
        return path.to_owned();
    }
    let names = ["model.safetensors", "model.bin"].map(|name| path.join(name));
    let [named, other] = names;
    if !named.exists() && other.exists() { other } else { named }
}

/// Whether weights may be opened that a bundle names by a path: who made it must not be able to
/// have any file of this machine read. They lie inside the bundle (links resolved), or they are
/// the file whose digest the bundle names.
pub(super) fn check_model(
    folder: &Path,
    known: &BTreeMap<String, Digest>,
    setting: &str,
    path: &Path,
) -> Result<(), TagError> {
    let refuse = |message: String| TagError::Bundle {
        path: folder.to_owned(),
        message: format!("its setting `{setting}` names {}, {message}", path.display()),
        hint: Some(STRANGER.to_owned()),
    };
    let weights = weights_at(path);
    let is_file = fs::metadata(&weights).is_ok_and(|metadata| metadata.is_file());
    if !is_file {
        return Err(refuse("which is no file of weights".to_owned()));
    }
    let real = |path: &Path| fs::canonicalize(path).map_err(TagError::file(path));
    if real(&weights)?.starts_with(real(folder)?) {
        return Ok(());
    }
    let expected = path.to_str().and_then(|path| known.get(path)).ok_or_else(|| {
        refuse("which lies outside the bundle and of which it names no digest".to_owned())
    })?;
    match Digest::of_file(&weights).map_err(TagError::file(&weights))? {
        found if found == *expected => Ok(()),
        found => Err(refuse(format!("which has the digest {found} and not {expected}"))),
    }
}
