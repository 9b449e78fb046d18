//! The pipeline file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use base::{DeviceChoice, Seed};
use catalog::CatalogSpec;
use extract::ExtractSettings;
use learn::LearnConfig;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::{
    PipelineError, StageKind, StageSpec, check,
    document::{self, Document},
};

/// A pipeline: what to run on which titles, with every setting that counts.
#[derive(Clone, Debug, Serialize)]
pub struct Pipeline {
    /// The run itself.
    pub run: RunSettings,
    /// The titles.
    pub catalog: CatalogSpec,
    /// The modalities used, with their settings; the registry gives their order.
    pub modality: BTreeMap<String, serde_json::Value>,
    /// How features are extracted. Changes no number.
    pub extract: ExtractSettings,
    /// The head and its training.
    pub learn: LearnConfig,
    /// The stages, in the order in which they run.
    #[serde(rename = "stage")]
    pub stages: Vec<StageSpec>,
}

/// A pipeline but for its stages, which are read one by one ([`super::stage_spec`]).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    run: RunSettings,
    catalog: CatalogSpec,
    #[serde(default)]
    modality: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    extract: ExtractSettings,
    #[serde(default)]
    learn: LearnConfig,
    #[serde(default, rename = "stage")]
    _stages: IgnoredAny,
}

/// The `[run]` table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSettings {
    /// Its name, in reports.
    pub name: String,
    /// What it is, in a sentence; in reports.
    #[serde(default)]
    pub about: String,
    /// Where the run's results go.
    pub folder: PathBuf,
    /// The feature store.
    #[serde(default = "usual_store")]
    pub store: PathBuf,
    /// All randomness comes from it.
    #[serde(default = "default_seed")]
    pub seed: Seed,
    /// Where networks run.
    #[serde(default)]
    pub device: DeviceChoice,
    /// Weights are looked for here instead of in the user's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
}

/// The store of a pipeline that names none, in the folder where it is run.
#[must_use]
pub fn usual_store() -> PathBuf {
    PathBuf::from("feature_store")
}

fn default_seed() -> Seed {
    Seed(1)
}

/// `catalog.path=films.csv`: one value set from the command line.
#[derive(Clone, Debug)]
pub struct Override {
    pub(super) key: Vec<String>,
    /// `value = …`, which is TOML.
    assignment: String,
    pub(super) text: String,
}

/// The key of [`Override::assignment`].
const VALUE: &str = "value";

impl std::str::FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(format!("expected KEY=VALUE, got {text:?}"));
        };
        let key: Vec<String> = key.trim().split('.').map(str::to_owned).collect();
        if key.iter().any(String::is_empty) {
            return Err(format!("expected a key such as catalog.path before `=`, got {text:?}"));
        }
        // A value that is no TOML is a string, so that paths need no quotes.
        let mut assignment = format!("{VALUE} = {value}");
        if !assignment.parse::<Table>().is_ok_and(|table| table.len() == 1) {
            assignment = format!("{VALUE} = {}", Value::String(value.to_owned()));
        }
        Ok(Self { key, assignment, text: text.to_owned() })
    }
}

impl Override {
    /// The value, if it can be written as TOML.
    pub(super) fn value(&self) -> Option<DeValue<'_>> {
        Some(DeTable::parse(&self.assignment).ok()?.into_inner().remove(VALUE)?.into_inner())
    }
}

impl Pipeline {
    /// Whether the stage that `is_this` needs, by itself or through others, one that is `wanted`.
    #[must_use]
    pub(super) fn is_upstream(
        &self,
        is_this: impl Fn(&StageKind) -> bool,
        wanted: impl Fn(&StageKind) -> bool,
    ) -> bool {
        let mut needed: Vec<&String> =
            self.stages.iter().filter(|s| is_this(&s.kind)).flat_map(|s| &s.needs).collect();
        // A stage stands behind those that it needs.
        for stage in self.stages.iter().rev() {
            if needed.contains(&&stage.name) {
                if wanted(&stage.kind) {
                    return true;
                }
                needed.extend(&stage.needs);
            }
        }
        false
    }

    /// Reads a pipeline file, applies overrides in their order, and checks every setting.
    ///
    /// # Errors
    /// The file cannot be read; it is no TOML; a key is unknown, a value of another type or out
    /// of range; an unknown modality, model, head or vocabulary; stages with the same name, or that
    /// need one that stands after them or nowhere. Each is told with its line, and with the name
    /// that was probably meant.
    pub fn read(path: &Path, overrides: &[Override]) -> Result<Self, PipelineError> {
        let hint = "give the path of a pipeline file; the project's own are in pipelines/";
        let text = document::text_of(path, hint)?;
        let document = Document::parse(path, &text, overrides)?;
        check::learn_twice(&document)?;
        let frame: Frame = document.typed()?;
        let pipeline = Self {
            run: frame.run,
            catalog: frame.catalog,
            modality: frame.modality,
            extract: frame.extract,
            learn: frame.learn,
            stages: StageSpec::all(&document)?,
        };
        check::check(&pipeline, &document)?;
        Ok(pipeline)
    }

    /// The stage called `name`.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&StageSpec> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// The pipeline with all overrides, as TOML.
    ///
    /// # Panics
    /// It is none that TOML knows: a bug.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self)
            .unwrap_or_else(|error| panic!("a pipeline is no TOML: {error}"))
    }
}
