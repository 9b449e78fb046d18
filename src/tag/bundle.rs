//! The bundle: a folder with all that tagging needs but the encoders' weights.
//!
//! `bundle.json` (this file's structs), `model/` (the fitted heads with calibration and
//! thresholds), `README.md` (the model card). Written to a temporary folder and renamed.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

use base::{DeviceChoice, Digest, OutputError, file, output::Why};
use catalog::{CatalogSpec, Vocabulary};
use dataset::{Content, Dataset};
use encode::EncoderContext;
use extract::OpenModalities;
use learn::{TrainedModel, borrowed::BorrowedModality, heads::stacking};
use nn::ModelSource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TagError;

/// Version of the bundle's layout.
const FORMAT: u32 = 3;
/// Since which stacking's parts are what they are now.
const STACKING_FORMAT: u32 = 3;
const CONFIG: &str = "bundle.json";
const MODEL: &str = "model";
const CARD: &str = "README.md";
/// The mend of what no bundle of `cinetag train` does.
const STRANGER: &str = "use bundles of people whom you trust; one's own is trained again with \
                        `cinetag train PIPELINE`";

/// `bundle.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BundleConfig {
    /// Version of the layout.
    pub format: u32,
    /// Version of the program that wrote it.
    pub cinetag: String,
    /// The pipeline's name.
    pub name: String,
    /// The genres, in the order of the scores.
    pub genres: Vocabulary,
    /// The modalities, in the order of the model.
    pub modalities: Vec<BundleModality>,
    /// How the training catalog's columns are called; the default for catalogs to tag.
    pub catalog: CatalogSpec,
    /// What it was trained on.
    pub trained_on: TrainedOn,
    /// What whoever uses it must know.
    pub notes: Vec<String>,
    /// Terms and limits.
    #[serde(default)]
    pub about: About,
    /// Digests of the model's files, by name.
    pub files: BTreeMap<String, Digest>,
    /// Digests of weights outside the bundle that its modalities name by a path, by that path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, Digest>,
}

/// Under which terms a bundle may be used and what it is good for. Empty where its maker said
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct About {
    /// Under which terms it may be used, in a sentence or two.
    pub terms: String,
    /// Whose data it was trained on, as their terms want it said.
    pub attribution: String,
    /// What the data are, in a sentence or two.
    pub data: String,
    /// What it is meant for.
    pub intended_use: String,
    /// What it does not know or cannot do, a sentence each.
    pub limits: Vec<String>,
}

/// A modality of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BundleModality {
    /// Its name.
    pub name: String,
    /// Its settings, as in the pipeline.
    pub settings: Value,
    /// An encoder's fingerprint, or a record's columns: what must be the same when tagging.
    pub made_by: Value,
    /// The modality in whose place it is put: the head was not fitted on this one
    /// (`learn.borrowed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrowed_from: Option<String>,
    /// Of a record's columns so many are stated by 99 in 100 of the titles trained on. A title
    /// that states fewer is tagged without the record: what was learned of whole rows says little
    /// about a year alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_stated: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What a bundle was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainedOn {
    /// File name of the catalog.
    pub catalog: String,
    /// Its content.
    pub catalog_sha256: Digest,
    /// Labelled titles.
    pub num_titles: usize,
    /// The run's seed.
    pub seed: u64,
    /// Its modalities' settings and the head's, for the card.
    pub learn: Value,
}

/// A bundle, loaded.
pub struct Bundle {
    /// Where it lies.
    pub folder: PathBuf,
    /// Its configuration.
    pub config: BundleConfig,
    /// Digest of `bundle.json`, which covers the model's files.
    pub digest: Digest,
    /// The fitted model.
    pub model: TrainedModel,
}

impl Bundle {
    /// Its files, as far as they lie in its folder.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let model = self.folder.join(MODEL);
        let of_model = self.config.files.keys().map(|name| model.join(name));
        [CONFIG, CARD].map(|name| self.folder.join(name)).into_iter().chain(of_model).collect()
    }

    /// Looks whether a bundle may be put at `folder`: nothing is there, an empty folder, or a bundle
    /// and nothing else, for all that is there will be gone.
    ///
    /// # Errors
    /// Something else is there.
    pub fn check_place(folder: &Path) -> Result<(), OutputError> {
        let refuse = |path: &Path, why| Err(OutputError::Refused { path: path.to_owned(), why });
        match fs::symlink_metadata(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Ok(found) if found.is_dir() => {}
            _ => return refuse(folder, Why::NoFolder),
        }
        let there = files_below(folder).map_err(OutputError::file(folder))?;
        let config = file::read(folder.join(CONFIG)).ok();
        let config: Option<BundleConfig> =
            config.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let files = config.iter().flat_map(|config| config.files.keys());
        let model = folder.join(MODEL);
        let mut own: Vec<PathBuf> = files.map(|name| model.join(name)).collect();
        if config.is_some() {
            own.extend([folder.join(CONFIG), folder.join(CARD)]);
        }
        match there.iter().find(|path| !own.contains(path)) {
            None => Ok(()),
            Some(other) => refuse(other, Why::GoneWithFolder),
        }
    }

    /// Writes a bundle to `folder`, replacing the one that is there in one step.
    /// `config.format`, `.cinetag` and `.files` are filled in. Gives the files written.
    ///
    /// # Errors
    /// A file cannot be written; the folder holds something that is no bundle.
    pub fn write(
        folder: &Path,
        mut config: BundleConfig,
        model: &TrainedModel,
        card: &str,
    ) -> Result<Vec<PathBuf>, TagError> {
        Self::check_place(folder)?;
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if !parent.is_dir() {
            fs::create_dir(parent).map_err(TagError::file(parent))?;
        }
        let draft = tempfile::Builder::new()
            .prefix(".tmp-bundle-")
            .tempdir_in(parent)
            .map_err(TagError::file(parent))?;
        let model_folder = draft.path().join(MODEL);
        fs::create_dir(&model_folder).map_err(TagError::file(&model_folder))?;
        model.save(&model_folder)?;

        config.format = FORMAT;
        env!("CARGO_PKG_VERSION").clone_into(&mut config.cinetag);
        config.files = digests(&model_folder)?;
        for modality in &config.modalities {
            for (_, path) in named_paths(&modality.settings) {
                let weights = weights_at(path);
                // What is not there any more cannot be named, and is refused when it is loaded.
                if let (Ok(digest), Some(name)) = (Digest::of_file(&weights), path.to_str()) {
                    config.models.insert(name.to_owned(), digest);
                }
            }
        }
        let names: Vec<String> = config.files.keys().cloned().collect();
        let mut text = serde_json::to_string_pretty(&config).unwrap_or_default();
        text.push('\n');
        let write = |name: &str, text: &str| {
            let path = draft.path().join(name);
            fs::write(&path, text).map_err(TagError::file(path))
        };
        write(CONFIG, &text)?;
        write(CARD, card)?;
        sync(draft.path())?;
        replace(draft, folder, parent)?;

        let mut written = vec![folder.join(CONFIG), folder.join(CARD)];
        written.extend(names.iter().map(|name| folder.join(MODEL).join(name)));
        Ok(written)
    }

    /// Loads a bundle and checks its files.
    ///
    /// # Errors
    /// The folder is no bundle, of a later version, or damaged.
    pub fn load(folder: &Path, device: DeviceChoice) -> Result<Self, TagError> {
        let refuse = |message: String, hint: &str| TagError::Bundle {
            path: folder.to_owned(),
            message,
            hint: Some(hint.to_owned()),
        };
        let path = folder.join(CONFIG);
        let text = match file::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(refuse(
                    format!("is no bundle: it has no {CONFIG}"),
                    "`cinetag train PIPELINE` writes one",
                ));
            }
            Err(e) => return Err(TagError::file(path)(e)),
        };
        let version: Option<u64> = serde_json::from_slice::<Value>(&text)
            .ok()
            .and_then(|config| config.get("format").and_then(Value::as_u64));
        if version.is_some_and(|version| version > u64::from(FORMAT)) {
            return Err(refuse(
                format!(
                    "was written by a later version of cinetag (format {})",
                    version.unwrap_or(0)
                ),
                "use that version, or train the bundle again",
            ));
        }
        let config: BundleConfig = serde_json::from_slice(&text)
            .map_err(|e| refuse(format!("{CONFIG}: {e}"), "fetch or train the bundle again"))?;
        if config.format < STACKING_FORMAT && config.trained_on.learn["head"] == stacking::NAME {
            return Err(refuse(
                "was trained by an earlier version of cinetag, whose stacking has other parts"
                    .to_owned(),
                "train it again with `cinetag train PIPELINE`; features are still in the store",
            ));
        }
        let model_folder = folder.join(MODEL);
        check_confined(folder, &model_folder)?;
        for (name, digest) in &config.files {
            let path = model_folder.join(name);
            if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(refuse(
                    format!("{CONFIG} names {name:?} among its files, which lies outside of it"),
                    STRANGER,
                ));
            }
            if Digest::of_file(&path).map_err(TagError::file(path))? != *digest {
                return Err(refuse(
                    format!("{MODEL}/{name} is not what was published"),
                    "fetch or train the bundle again",
                ));
            }
        }
        for (name, value) in config.modalities.iter().flat_map(|m| named_paths(&m.settings)) {
            check_model(folder, &config.models, name, value)?;
        }
        let model = TrainedModel::load(&model_folder, device)?;
        let spec = model.spec();
        let same = |what: &str, said: Vec<&str>, own: &[String]| {
            if said == *own {
                return Ok(());
            }
            let message = format!(
                "{CONFIG} names {} {what}, and {MODEL}/model.json {} or others",
                said.len(),
                own.len()
            );
            Err(refuse(message, "fetch or train the bundle again"))
        };
        same("genres", config.genres.names().iter().map(String::as_str).collect(), &spec.genres)?;
        let modalities = config.modalities.iter().map(|modality| modality.name.as_str());
        same("modalities", modalities.collect(), &spec.modalities)?;
        Ok(Self { folder: folder.to_owned(), config, digest: Digest::of_bytes(&text), model })
    }

    /// Its name and the start of its digest: `movies@9f86d081884c7d65`.
    #[must_use]
    pub fn model_name(&self) -> String {
        format!("{}@{}", self.config.name, self.digest.short())
    }

    /// The titles as the model may see them, and `[titles]` the records that state too little to
    /// be seen, by modality.
    pub(super) fn shown(&self, data: Dataset) -> (Dataset, Vec<Vec<String>>) {
        let mut thin = vec![Vec::new(); data.num_titles()];
        for table in &data.modalities {
            let own = self.config.modalities.iter().find(|own| own.name == table.name);
            let (Some(own), Content::Records { rows, .. }) = (own, &table.content) else {
                continue;
            };
            for (names, row) in thin.iter_mut().zip(rows) {
                if row.as_ref().is_some_and(|row| row.num_stated() < own.min_stated) {
                    names.push(own.name.clone());
                }
            }
        }
        if thin.iter().all(Vec::is_empty) {
            return (data, thin);
        }
        let shown = data.masked(|title, m| !thin[title].contains(&data.modalities[m].name));
        (shown, thin)
    }

    /// Borrowed modalities, each with the own ones beside which nothing of it is added.
    fn counts_not_beside(&self) -> BTreeMap<String, Vec<String>> {
        let spec = self.model.spec();
        let is_own = |name: &&String| spec.borrowed.iter().all(|lent| lent.name != **name);
        let own: Vec<&String> = spec.modalities.iter().filter(is_own).collect();
        let unless = |lent: &BorrowedModality| {
            let share = |name: &String| {
                if *name == lent.from { lent.beside_from } else { lent.beside_others }
            };
            own.iter().filter(|name| share(name) <= 0.0).map(|name| (*name).clone()).collect()
        };
        spec.borrowed.iter().map(|lent| (lent.name.clone(), unless(lent))).collect()
    }

    /// Opens the encoders that it was trained on.
    ///
    /// # Errors
    /// Weights that are not there; an encoder that makes other features than those it was
    /// trained on.
    pub fn open_modalities(&self, context: &EncoderContext) -> Result<OpenModalities, TagError> {
        let settings = self
            .config
            .modalities
            .iter()
            .map(|modality| (modality.name.clone(), modality.settings.clone()))
            .collect();
        let mut opened = OpenModalities::open(&settings, context)?;
        opened.spare(&self.counts_not_beside());
        let here = opened.description();
        for modality in &self.config.modalities {
            let made_here = here.get(&modality.name).unwrap_or(&Value::Null);
            if *made_here != modality.made_by {
                return Err(TagError::OtherEncoder {
                    path: self.folder.clone(),
                    modality: modality.name.clone(),
                    trained: modality.made_by.to_string(),
                    here: made_here.to_string(),
                });
            }
        }
        Ok(opened)
    }
}

/// Settings that name a model by a path: `[(setting, path)]`.
fn named_paths(settings: &Value) -> impl Iterator<Item = (&str, &Path)> {
    let all = settings.as_object().into_iter().flatten();
    all.filter_map(|(name, value)| {
        let names_a_model = name == "model" || name.ends_with("_model");
        let text = value.as_str().filter(|_| names_a_model)?;
        matches!(text.parse(), Ok(ModelSource::Path(_))).then(|| (name.as_str(), Path::new(text)))
    })
}

/// A file of weights, or that in a folder of a model.
fn weights_at(path: &Path) -> PathBuf {
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
fn check_model(
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

/// Whether nothing of a bundle's model is a link that leads out of the bundle: who made it must not
/// be able to have any file of this machine read.
fn check_confined(folder: &Path, model_folder: &Path) -> Result<(), TagError> {
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
fn digests(folder: &Path) -> Result<BTreeMap<String, Digest>, TagError> {
    let mut files = BTreeMap::new();
    for path in files_below(folder).map_err(TagError::file(folder))? {
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        files.insert(name, Digest::of_file(&path).map_err(TagError::file(path))?);
    }
    Ok(files)
}

fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
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

/// Flushes every file of a folder to the disk.
fn sync(folder: &Path) -> Result<(), TagError> {
    for path in files_below(folder).map_err(TagError::file(folder))? {
        file::open(&path).and_then(|file| file.sync_all()).map_err(TagError::file(path))?;
    }
    Ok(())
}

/// Puts the draft in the place of `folder`. What stood there is renamed away first and
/// removed last, so that at every moment one whole bundle is on the disk.
fn replace(draft: tempfile::TempDir, folder: &Path, parent: &Path) -> Result<(), TagError> {
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
fn make_readable(folder: &Path) -> Result<(), TagError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
            .map_err(TagError::file(folder))?;
    }
    let _ = folder;
    Ok(())
}
