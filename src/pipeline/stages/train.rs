//! `kind = "train"`: trains on all labelled titles, or on all but the pinned ones, and writes the bundle.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use base::file;
use catalog::{Catalog, CatalogSpec, split::Folds};
use eval::pinned::is_pinned;
use learn::{TrainedModel, heads::FitContext};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tag::{
    About, Beside, Bundle, BundleConfig, BundleModality, KnownTitles, TrainedOn, min_stated,
    model_card,
};

use super::{Context, Outcome, Stage, evaluate, split, to_json};
use crate::{Lock, PipelineError, StageKind, table::Table};

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
    /// Terms, attribution, intended use and limits, for the bundle and its card.
    #[serde(default)]
    pub about: About,
    /// One group of titles in five is not trained on ([`eval::pinned`]): the next bundle is judged on
    /// these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned_aside: bool,
}

fn bundle() -> PathBuf {
    PathBuf::from("bundle")
}

impl Stage for Settings {
    fn inputs(&self, context: &Context<'_>) -> Result<BTreeMap<String, Value>, PipelineError> {
        context.learn_inputs()
    }

    fn check(&self, context: &Context<'_>, _lock: &Lock) -> Result<(), PipelineError> {
        Ok(Bundle::check_place(&context.folder().join(&self.bundle))?)
    }

    fn rewrites(&self, context: &Context<'_>, file: &Path) -> bool {
        file.starts_with(context.folder().join(&self.bundle))
    }

    fn run(&self, context: &Context<'_>, _lock: &Lock) -> Result<Outcome, PipelineError> {
        let pipeline = context.pipeline;
        let catalog = context.catalog()?;
        let modalities = context.modalities()?;
        let table = Table::read(context)?;
        let is_kept =
            |title: &usize| !(self.pinned_aside && is_pinned(catalog.titles[*title].group_name()));
        let train: Vec<usize> = catalog.to_learn_from().into_iter().filter(is_kept).collect();
        let folds = self.folds(context, catalog, &train)?;
        let fit = FitContext { inner_folds: &folds, ..context.fit_context() };
        let model = TrainedModel::fit(&table.data, &train, &table.groups, &pipeline.learn, &fit)?;

        let path = &pipeline.catalog.path;
        let config = BundleConfig {
            format: 0,
            cinetag: String::new(),
            name: pipeline.run.name.clone(),
            genres: catalog.vocabulary.clone(),
            modalities: modalities
                .made_by()
                .map(|(name, made_by)| BundleModality {
                    name: name.to_owned(),
                    settings: pipeline.modality.get(name).cloned().unwrap_or_default(),
                    made_by,
                    borrowed_from: pipeline.learn.borrowed.get(name).map(|own| own.from.clone()),
                    min_stated: min_stated(&table.data, name, &train),
                })
                .collect(),
            catalog: for_tagging(&pipeline.catalog),
            trained_on: TrainedOn {
                catalog: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                catalog_sha256: catalog::digest(path).map_err(PipelineError::file(path))?,
                num_titles: train.len(),
                seed: pipeline.run.seed.0,
                learn: to_json(&pipeline.learn),
                pinned_aside: self.pinned_aside,
            },
            notes: self.notes.clone(),
            about: self.about.clone(),
            files: BTreeMap::new(),
            models: BTreeMap::new(),
            prior: None,
        };
        let votes = evaluate::borrowed::votes(model.spec());
        let figures = file::read_to_string(context.file(evaluate::CARD)).ok();
        let figures = figures.map(|figures| figures + &votes);
        let card = model_card(&config, &model, figures.as_deref());
        let folder = context.folder().join(&self.bundle);
        let known = KnownTitles::of(train.iter().map(|&title| &catalog.titles[title]));
        let beside = Beside { known: Some(&known), ..Beside::default() };
        let outputs = Bundle::write_with(&folder, config, &model, &card, beside)?;
        Ok(Outcome {
            summary: format!(
                "{}{} titles; bundle in {}",
                match model.spec().num_members {
                    1 => String::new(),
                    members => format!("{members} members on "),
                },
                train.len(),
                folder.display()
            ),
            outputs,
            skipped: 0,
        })
    }
}

impl Settings {
    /// `[train]`: the folds of these titles, where a stage that this one needs has made some; else
    /// nothing.
    fn folds(
        &self,
        context: &Context<'_>,
        catalog: &Catalog,
        train: &[usize],
    ) -> Result<Vec<u32>, PipelineError> {
        let is_this =
            |kind: &StageKind| matches!(kind, StageKind::Train(own) if std::ptr::eq(own, self));
        let makes_folds = |kind: &StageKind| matches!(kind, StageKind::Split(_));
        if !context.pipeline.is_upstream(is_this, makes_folds) {
            return Ok(Vec::new());
        }
        let folds = Folds::load(&context.file(split::FILE), catalog)?;
        Ok(train.iter().filter_map(|&title| folds.fold_of[title]).collect())
    }
}

/// How columns are called; nothing that only training needs, and no path of this machine.
fn for_tagging(trained: &CatalogSpec) -> CatalogSpec {
    CatalogSpec {
        path: trained.path.file_name().map(PathBuf::from).unwrap_or_default(),
        drop_naming_sentences: false,
        needs: Vec::new(),
        ..trained.clone()
    }
}
