//! The pipeline file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{PipelineError, stages};
use crate::{
    base::{DeviceChoice, Seed, file},
    catalog::CatalogSpec,
    encode::registry,
    extract::ExtractSettings,
    learn::LearnConfig,
};

/// A pipeline: what to run on which titles, with every setting that counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The run itself.
    pub run: RunSettings,
    /// The titles.
    pub catalog: CatalogSpec,
    /// The modalities used, with their settings; the registry gives their order.
    #[serde(default)]
    pub modality: BTreeMap<String, serde_json::Value>,
    /// How features are extracted. Changes no number.
    #[serde(default)]
    pub extract: ExtractSettings,
    /// The head and its training.
    #[serde(default)]
    pub learn: LearnConfig,
    /// The stages, in the order in which they run.
    #[serde(rename = "stage")]
    pub stages: Vec<StageSpec>,
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
    #[serde(default = "default_store")]
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

fn default_store() -> PathBuf {
    PathBuf::from("feature_store")
}

fn default_seed() -> Seed {
    Seed(1)
}

/// One `[[stage]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct StageSpec {
    /// Unique in the pipeline.
    pub name: String,
    /// What it does, with its settings.
    pub kind: StageKind,
    /// Stages whose results it reads; they stand before it.
    pub needs: Vec<String>,
}

/// The kinds of stages; each has its settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StageKind {
    /// Renders the synthetic demo library.
    Demo(stages::demo::Settings),
    /// Fills the feature store.
    Extract(stages::extract::Settings),
    /// Divides the titles into folds.
    Split(stages::split::Settings),
    /// Cross-validates the head over the folds.
    Evaluate(stages::evaluate::Settings),
    /// Trains on all labelled titles and writes a bundle.
    Train(stages::train::Settings),
    /// Tags titles with the bundle.
    Tag(stages::tag::Settings),
    /// Writes the report.
    Report(stages::report::Settings),
}

impl StageKind {
    /// As it stands in the file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Demo(_) => "demo",
            Self::Extract(_) => "extract",
            Self::Split(_) => "split",
            Self::Evaluate(_) => "evaluate",
            Self::Train(_) => "train",
            Self::Tag(_) => "tag",
            Self::Report(_) => "report",
        }
    }
}

impl TryFrom<Table> for StageSpec {
    type Error = String;

    fn try_from(mut table: Table) -> Result<Self, String> {
        let Some(Value::String(name)) = table.remove("name") else {
            return Err("every [[stage]] needs a `name`".to_owned());
        };
        let needs = match table.remove("needs") {
            None => Vec::new(),
            Some(needs) => needs
                .try_into()
                .map_err(|_| format!("stage {name}: `needs` must be a list of stage names"))?,
        };
        let kind = Value::Table(table)
            .try_into()
            .map_err(|e: toml::de::Error| format!("stage {name}: {}", e.message().trim()))?;
        Ok(Self { name, kind, needs })
    }
}

impl From<StageSpec> for Table {
    fn from(stage: StageSpec) -> Self {
        let mut table = Self::new();
        table.insert("name".to_owned(), Value::String(stage.name));
        if let Ok(Value::Table(kind)) = Value::try_from(&stage.kind) {
            table.extend(kind);
        }
        if !stage.needs.is_empty() {
            table.insert("needs".to_owned(), stage.needs.into());
        }
        table
    }
}

/// `catalog.path=films.csv`: one value set from the command line.
#[derive(Clone, Debug)]
pub struct Override {
    key: Vec<String>,
    value: Value,
    text: String,
}

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
        let parsed = format!("value = {value}").parse::<Table>().ok();
        let value = parsed
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(value.to_owned()));
        Ok(Self { key, value, text: text.to_owned() })
    }
}

impl Override {
    fn apply(&self, table: &mut Table) -> Result<(), PipelineError> {
        let refuse = |message: String| PipelineError::Spec {
            place: format!("--set {}", self.text),
            message,
            hint: Some(
                "keys are those of the pipeline file, such as catalog.path, \
                        learn.epochs or stage.NAME.SETTING"
                    .to_owned(),
            ),
        };
        let (last, path) = self.key.split_last().ok_or_else(|| refuse("empty key".to_owned()))?;
        let mut here = table;
        let mut path = path.iter();
        while let Some(part) = path.next() {
            let next = here.entry(part.clone()).or_insert_with(|| Value::Table(Table::new()));
            here = match next {
                Value::Table(table) => table,
                // [[stage]]: the next part of the key is the stage's name.
                Value::Array(items) => {
                    let name = path.next().ok_or_else(|| refuse(format!("which {part}?")))?;
                    items
                        .iter_mut()
                        .filter_map(Value::as_table_mut)
                        .find(|item| item.get("name").and_then(Value::as_str) == Some(name))
                        .ok_or_else(|| refuse(format!("there is no {part} called {name:?}")))?
                }
                other => {
                    return Err(refuse(format!("`{part}` is a {}, not a table", other.type_str())));
                }
            };
        }
        here.insert(last.clone(), self.value.clone());
        Ok(())
    }
}

impl Pipeline {
    /// Reads a pipeline file and applies overrides in their order.
    ///
    /// # Errors
    /// The file cannot be read; it is no TOML; a key is unknown or a value of another type;
    /// an unknown modality; stages with the same name, or that need one that stands after
    /// them or nowhere.
    pub fn read(path: &Path, overrides: &[Override]) -> Result<Self, PipelineError> {
        let place = path.display().to_string();
        let text = file::read_to_string(path).map_err(|e| PipelineError::Spec {
            place: place.clone(),
            message: format!("cannot be read: {e}"),
            hint: Some(
                "give the path of a pipeline file; the project's own are in pipelines/".to_owned(),
            ),
        })?;
        let refuse = |e: &toml::de::Error| PipelineError::Spec {
            place: match e.span() {
                Some(span) => format!("{place}:{}", 1 + text[..span.start].matches('\n').count()),
                None => place.clone(),
            },
            message: e.message().trim().to_owned(),
            hint: None,
        };
        let pipeline: Self = if overrides.is_empty() {
            toml::from_str(&text).map_err(|e| refuse(&e))?
        } else {
            let mut table: Table = text.parse().map_err(|e: toml::de::Error| refuse(&e))?;
            for one in overrides {
                one.apply(&mut table)?;
            }
            Value::Table(table).try_into().map_err(|e: toml::de::Error| refuse(&e))?
        };
        pipeline.check(&place)?;
        Ok(pipeline)
    }

    fn check(&self, place: &str) -> Result<(), PipelineError> {
        let refuse = |message: String, hint: Option<String>| {
            Err(PipelineError::Spec { place: place.to_owned(), message, hint })
        };
        if let Err(error) = registry::instances(&self.modality) {
            let hint = "`cinetag modalities` says what each is".to_owned();
            return refuse(error.to_string(), Some(hint));
        }
        for (idx, stage) in self.stages.iter().enumerate() {
            let before: Vec<_> = self.stages[..idx].iter().map(|s| s.name.as_str()).collect();
            if before.contains(&stage.name.as_str()) {
                return refuse(format!("two stages are called {:?}", stage.name), None);
            }
            for need in &stage.needs {
                if !before.contains(&need.as_str()) {
                    return refuse(
                        format!(
                            "stage {} needs {need:?}, which does not stand before it; before it \
                             stands {}",
                            stage.name,
                            if before.is_empty() {
                                "nothing".to_owned()
                            } else {
                                before.join(", ")
                            }
                        ),
                        Some("stages run in the order of the file".to_owned()),
                    );
                }
            }
        }
        Ok(())
    }

    /// The stage called `name`.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&StageSpec> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// The pipeline with all overrides, as TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }
}
