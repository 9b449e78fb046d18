//! The bundle: a folder with all that tagging needs but the encoders' weights.
//!
//! `bundle.json` ([`BundleConfig`]), `model/` (the fitted heads with calibration and
//! thresholds), `README.md` (the model card). Written to a temporary folder and renamed.

mod config;
mod files;
mod models;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

use base::{DeviceChoice, Digest, OutputError, file, json, output::Why};
use dataset::{Content, Dataset};
use encode::EncoderContext;
use extract::{MadeBy, OpenModalities};
use learn::{TrainedModel, borrowed::BorrowedModality, heads::stacking};
use serde_json::Value;

pub use config::{About, BundleConfig, BundleModality, TrainedOn};

use super::{KnownTitles, PRIOR, Prior, PriorConfig, TagError};
use files::{check_confined, copy_file, digests, files_below, make_readable, replace, sync};
use models::{check_model, named_paths, weights_at};

/// Version of the bundle's layout.
const FORMAT: u32 = 3;
/// Since which stacking's parts are what they are now.
const STACKING_FORMAT: u32 = 3;
pub(super) const CONFIG: &str = "bundle.json";
const MODEL: &str = "model";
/// In the folder of the model.
const TITLES: &str = "titles.bin";
const CARD: &str = "README.md";
/// The mend of what no bundle of `cinetag train` does.
const STRANGER: &str = "use bundles of people whom you trust; one's own is trained again with \
                        `cinetag train PIPELINE`";

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
    /// The bundle that it begins with.
    pub prior: Option<Box<Prior>>,
    /// The titles that it was trained on, where it names them.
    pub known: KnownTitles,
}

/// What a bundle has beside its model.
#[derive(Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The bundle that it begins with, of which it gets a copy.
    pub prior: Option<&'a Prior>,
    /// The titles that it was trained on.
    pub known: Option<&'a KnownTitles>,
}

impl Bundle {
    /// Its files, as far as they lie in its folder.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let model = self.folder.join(MODEL);
        let of_model = self.config.files.keys().map(|name| model.join(name));
        let of_prior = self.prior.iter().flat_map(|prior| prior.bundle.paths());
        let own = [CONFIG, CARD].map(|name| self.folder.join(name));
        own.into_iter().chain(of_model).chain(of_prior).collect()
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
        let mut own = Self::files_named_in(folder);
        own.extend(Self::files_named_in(&folder.join(PRIOR)));
        match there.iter().find(|path| !own.contains(path)) {
            None => Ok(()),
            Some(other) => refuse(other, Why::GoneWithFolder),
        }
    }

    /// The files that the bundle in a folder names as its own, whether they are there or not; none where
    /// there is no bundle.
    fn files_named_in(folder: &Path) -> Vec<PathBuf> {
        let config = file::read(folder.join(CONFIG)).ok();
        let config: Option<BundleConfig> =
            config.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(config) = config else { return Vec::new() };
        let model = folder.join(MODEL);
        let files = config.files.keys().map(|name| model.join(name));
        files.chain([folder.join(CONFIG), folder.join(CARD)]).collect()
    }

    /// Writes a bundle to `folder`, replacing the one that is there in one step.
    /// `config.format`, `.cinetag` and `.files` are filled in. Gives the files written.
    ///
    /// # Errors
    /// A file cannot be written; the folder holds something that is no bundle.
    pub fn write(
        folder: &Path,
        config: BundleConfig,
        model: &TrainedModel,
        card: &str,
    ) -> Result<Vec<PathBuf>, TagError> {
        Self::write_with(folder, config, model, card, Beside::default())
    }

    /// The same for a bundle with something beside its model. `config.prior` is filled in.
    ///
    /// # Errors
    /// As [`Bundle::write`]; the other bundle cannot be read.
    pub fn write_with(
        folder: &Path,
        mut config: BundleConfig,
        model: &TrainedModel,
        card: &str,
        Beside { prior, known }: Beside<'_>,
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
        if let Some(known) = known.filter(|known| !known.is_empty()) {
            let path = model_folder.join(TITLES);
            fs::write(&path, known.to_bytes()).map_err(TagError::file(path))?;
        }

        config.format = FORMAT;
        env!("CARGO_PKG_VERSION").clone_into(&mut config.cinetag);
        config.files = digests(&model_folder)?;
        config.prior = prior.map(Prior::config);
        let mut names: Vec<PathBuf> = vec![CONFIG.into(), CARD.into()];
        names.extend(config.files.keys().map(|name| Path::new(MODEL).join(name)));
        if let Some(Prior { bundle, .. }) = prior {
            let to = draft.path().join(PRIOR);
            fs::create_dir(&to).map_err(TagError::file(&to))?;
            bundle.copy_to(&to)?;
            let named = bundle.paths();
            let named = named.iter().filter_map(|path| path.strip_prefix(&bundle.folder).ok());
            names.extend(named.map(|name| Path::new(PRIOR).join(name)));
        }
        for modality in &config.modalities {
            for (_, path) in named_paths(&modality.settings) {
                let weights = weights_at(path);
                // What is not there any more cannot be named, and is refused when it is loaded.
                if let (Ok(digest), Some(name)) = (Digest::of_file(&weights), path.to_str()) {
                    config.models.insert(name.to_owned(), digest);
                }
            }
        }
        let text = json::pretty(&config);
        let write = |name: &str, text: &str| {
            let path = draft.path().join(name);
            fs::write(&path, text).map_err(TagError::file(path))
        };
        write(CONFIG, &text)?;
        write(CARD, card)?;
        sync(draft.path())?;
        replace(draft, folder, parent)?;

        Ok(names.iter().map(|name| folder.join(name)).collect())
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
        let modalities = modalities.chain(config.prior.as_ref().map(|_| PRIOR));
        same("modalities", modalities.collect(), &spec.modalities)?;
        let prior = match &config.prior {
            None => None,
            Some(named) => {
                Some(Box::new(Self::load_prior(folder, named, spec.genres.len(), device)?))
            }
        };
        let mut known = KnownTitles::default();
        if config.files.contains_key(TITLES) {
            let path = model_folder.join(TITLES);
            let bytes = file::read(&path).map_err(TagError::file(path))?;
            known = KnownTitles::from_bytes(&bytes).ok_or_else(|| {
                refuse(format!("{MODEL}/{TITLES} is no list of titles"), "train the bundle again")
            })?;
        }
        let digest = Digest::of_bytes(&text);
        Ok(Self { folder: folder.to_owned(), config, digest, model, prior, known })
    }

    fn load_prior(
        folder: &Path,
        named: &PriorConfig,
        num_genres: usize,
        device: DeviceChoice,
    ) -> Result<Prior, TagError> {
        let refuse = |message: &str| TagError::Bundle {
            path: folder.to_owned(),
            message: message.to_owned(),
            hint: Some("learn the bundle anew".to_owned()),
        };
        let own = folder.join(PRIOR);
        // Looked at before it is loaded, so that one that names a prior in turn is not followed.
        let text = file::read(own.join(CONFIG)).map_err(TagError::file(own.join(CONFIG)))?;
        if Digest::of_bytes(&text) != named.digest {
            return Err(refuse("begins with another bundle than the one in its folder `prior`"));
        }
        let config: Option<BundleConfig> = serde_json::from_slice(&text).ok();
        if config.is_none_or(|config| config.prior.is_some()) || named.genres.len() != num_genres {
            return Err(refuse("begins with a bundle that no bundle begins with"));
        }
        check_confined(folder, &own)?;
        Prior::new(Self::load(&own, device)?, &named.genres)
    }

    /// Copies its own files (not what else lies in its folder) into an empty folder and checks the copy.
    ///
    /// # Errors
    /// As [`Bundle::load`], of the copy; a file cannot be read or written.
    pub(super) fn copy_to(&self, folder: &Path) -> Result<(), TagError> {
        let card = self.folder.join(CARD);
        for path in self.paths() {
            let name = path.strip_prefix(&self.folder).unwrap_or(&path);
            if path != card || card.is_file() {
                copy_file(&path, &folder.join(name))?;
            }
        }
        let copied = Self::load(folder, DeviceChoice::Cpu)?;
        if copied.digest != self.digest {
            return Err(TagError::Bundle {
                path: self.folder.clone(),
                message: "was changed while it was copied".to_owned(),
                hint: Some("add it again once nobody writes there".to_owned()),
            });
        }
        sync(folder)?;
        make_readable(folder)
    }

    /// Its name and the start of its digest: `movies@9f86d081884c7d65`.
    #[must_use]
    pub fn model_name(&self) -> String {
        format!("{}@{}", self.config.name, self.digest.short())
    }

    /// The titles as the model may see them, and `[titles]` the records that state too little to
    /// be seen, by modality.
    pub(super) fn visible(&self, data: Dataset) -> (Dataset, Vec<Vec<String>>) {
        let mut sparse = vec![Vec::new(); data.num_titles()];
        for table in &data.modalities {
            let own = self.config.modalities.iter().find(|own| own.name == table.name);
            let (Some(own), Content::Records { rows, .. }) = (own, &table.content) else {
                continue;
            };
            for (names, row) in sparse.iter_mut().zip(rows) {
                if row.as_ref().is_some_and(|row| row.num_stated() < own.min_stated) {
                    names.push(own.name.clone());
                }
            }
        }
        if sparse.iter().all(Vec::is_empty) {
            return (data, sparse);
        }
        let visible = data.masked(|title, m| !sparse[title].contains(&data.modalities[m].name));
        (visible, sparse)
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
        let here: BTreeMap<&str, MadeBy> = opened.made_by().collect();
        for modality in &self.config.modalities {
            let made_here = here.get(modality.name.as_str());
            if made_here != Some(&modality.made_by) {
                return Err(TagError::OtherEncoder {
                    path: self.folder.clone(),
                    modality: modality.name.clone(),
                    trained: modality.made_by.to_string(),
                    here: made_here.map_or_else(|| "nothing".to_owned(), MadeBy::to_string),
                });
            }
        }
        Ok(opened)
    }
}
