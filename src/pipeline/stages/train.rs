//! `kind = "train"`: trains on all labelled titles and writes the bundle.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Context, Outcome, Stage, evaluate, to_json};
use crate::{
    catalog,
    learn::TrainedModel,
    pipeline::{Lock, PipelineError, table::Table},
    tag::{Bundle, BundleConfig, BundleModality, TrainedOn, model_card},
};

/// Where the bundle goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Folder of the bundle, in the run folder unless it is absolute.
    #[serde(default = "bundle")]
    pub bundle: PathBuf,
    /// What whoever uses the bundle must know: terms of the data, what it cannot do.
    #[serde(default)]
    pub notes: Vec<String>,
}

fn bundle() -> PathBuf {
    PathBuf::from("bundle")
}

impl Stage for Settings {
    fn inputs(&self, context: &Context<'_>) -> Result<BTreeMap<String, Value>, PipelineError> {
        context.learn_inputs()
    }

    fn run(&self, context: &Context<'_>, _lock: &Lock) -> Result<Outcome, PipelineError> {
        let pipeline = context.pipeline;
        let catalog = context.catalog()?;
        let modalities = context.modalities()?;
        let table = Table::read(context)?;
        let train: Vec<usize> =
            (0..catalog.titles.len()).filter(|&title| catalog.titles[title].labelled).collect();
        context
            .progress
            .begin("train", Some((pipeline.learn.members * pipeline.learn.epochs) as u64));
        let model = TrainedModel::fit(
            &table.data,
            &train,
            &table.groups,
            &pipeline.learn,
            &context.fit_context(),
        );
        context.progress.end();
        let model = model?;

        let description = modalities.description();
        let path = &pipeline.catalog.path;
        let config = BundleConfig {
            format: 0,
            cinetag: String::new(),
            name: pipeline.run.name.clone(),
            genres: catalog.vocabulary.clone(),
            modalities: modalities
                .names()
                .into_iter()
                .map(|name| BundleModality {
                    name: name.to_owned(),
                    settings: pipeline.modality.get(name).cloned().unwrap_or_default(),
                    made_by: description.get(name).cloned().unwrap_or_default(),
                })
                .collect(),
            catalog: pipeline.catalog.clone(),
            trained_on: TrainedOn {
                catalog: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                catalog_sha256: catalog::digest(path).map_err(PipelineError::file(path))?,
                num_titles: train.len(),
                seed: pipeline.run.seed.0,
                learn: to_json(&pipeline.learn),
            },
            notes: self.notes.clone(),
            files: BTreeMap::new(),
        };
        let figures = fs::read_to_string(context.file(evaluate::CARD)).ok();
        let card = model_card(&config, &model, figures.as_deref());
        let folder = context.folder().join(&self.bundle);
        let outputs = Bundle::write(&folder, config, &model, &card)?;
        Ok(Outcome {
            summary: format!(
                "{} members on {} titles; bundle in {}",
                model.spec().num_members,
                train.len(),
                folder.display()
            ),
            outputs,
            skipped: 0,
        })
    }
}
